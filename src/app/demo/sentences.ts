/** Makes the posts of the demo world: sentences with gaps that random words fill. */

type Random = () => number

const pick = <T>(random: Random, values: readonly T[]): T => values[Math.floor(random() * values.length)]

const WORDS: Record<string, readonly string[]> = {
  food: [
    'rye bread',
    'lentil soup',
    'plum cake',
    'flatbread',
    'pumpkin curry',
    'potato dumplings',
    'fig jam',
  ],
  place: [
    'the harbour',
    'the old market',
    'the north bridge',
    'the library',
    'the botanical garden',
    'platform 4',
  ],
  animal: ['a heron', 'two foxes', 'a very proud cat', 'a hedgehog', 'seven geese', 'an owl'],
  weather: ['fog', 'thin rain', 'the first frost', 'a warm wind', 'snow', 'bright sun'],
  tool: [
    'the bike pump',
    'my grandmother’s sewing machine',
    'a borrowed drill',
    'the film camera',
    'a fountain pen',
  ],
  project: [
    'the balcony garden',
    'a small bookshelf',
    'my first quilt',
    'the parser',
    'a bird feeder',
    'the kayak',
  ],
  book: ['a novel about a lighthouse', 'a history of maps', 'poems about rivers', 'a field guide to mosses'],
  day: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'],
  feeling: ['worth it', 'better than I feared', 'a small disaster', 'exactly right', 'harder than it looked'],
  number: ['three', 'four', 'six', 'eleven', 'twenty'],
}

const POSTS: readonly string[] = [
  'Finally tried {food} from scratch. It was {feeling}.',
  'Saw {animal} near {place} this morning, standing in {weather} as if it owned the street.',
  '{number} hours on {project} and the end is almost in sight.',
  'If you are near {place} on {day}, come and say hello. I will bring {food}.',
  'Reading {book}. Every chapter makes me want to walk somewhere far.',
  'Fixed {tool} with a rubber band. It will hold until {day}, I promise.',
  'There is {weather} over {place} and the whole city has gone quiet.',
  'Small victory: {project} survived {weather}.',
  'Does anybody have a good recipe for {food}? Mine is {feeling}.',
  'The train stopped for {number} minutes because of {animal}. Nobody minded.',
  'Today I learned to leave {project} alone for a day. It was {feeling}.',
  'Lost a glove at {place}. If you find it, it has a twin that misses it.',
  'Note to self: {food} is not a breakfast. Or is it?',
  'Somebody left {book} on a bench at {place} with a note inside: read me, then leave me.',
  'My neighbour lent me {tool} and I gave back {food}. The economy works.',
  'Plan for {day}: {place}, a thermos of tea, and no plan after that.',
  '{number} of us swam in the lake today. In {weather}. It was {feeling}.',
  'I keep a list of good windows in this town. {place} has the best one.',
  'Started {project} again from the beginning, and this time I am measuring twice.',
  'Overheard at {place}: “{animal}, every single {day}, like clockwork.”',
]

const STAR_POSTS: readonly string[] = [
  'Tonight’s sky over {place}: {weather} until ten, then stars all the way down.',
  'Jupiter is up before midnight. You need {number} minutes, a dark corner, and patience.',
  'A picture from the roof: the Milky Way above {place}. It took {number} tries.',
  'Somebody asked whether clouds ruin everything. They do not: {book} was made for {weather}.',
  'Meteors on {day}. Take a blanket, take {food}, look east and do nothing.',
]

const REPLIES: readonly string[] = [
  'I was there too! It was {feeling}.',
  'Save some {food} for me, please.',
  'This made my {day}.',
  'Have you tried it with {tool}? Changed everything for me.',
  'Next time take {animal} along.',
  'Same here, but in {weather}.',
  'I have {book} if you would like to borrow it.',
  'Meet at {place} on {day}?',
]

function fill(random: Random, template: string): string {
  const text = template.replace(/\{(\w+)\}/g, (_, gap: string) => pick(random, WORDS[gap] ?? [gap]))
  return text.charAt(0).toUpperCase() + text.slice(1)
}

export const sayPost = (random: Random): string => fill(random, pick(random, POSTS))
export const sayStarPost = (random: Random): string => fill(random, pick(random, STAR_POSTS))
export const sayReply = (random: Random): string => fill(random, pick(random, REPLIES))
