/** `npm run engines -- up|down|status|wipe [kafka|cassandra|redis …] [--nodes 1|3]` */

import { Argument, Command, Option } from 'commander'
import { cassandra } from './cassandra.ts'
import { ENGINE_NAMES, openEngineFolder, type EngineDefinition, type EngineName } from './engine.ts'
import { kafka } from './kafka.ts'
import { isAlive } from './processes.ts'
import { redis } from './redis.ts'

const DEFINITIONS: Readonly<Record<EngineName, EngineDefinition>> = { kafka, cassandra, redis }
const folder = openEngineFolder()
const say = (line: string) => console.log(line)

const chosen = (names: readonly EngineName[]): readonly EngineDefinition[] =>
  (names.length === 0 ? ENGINE_NAMES : names).map((name) => DEFINITIONS[name])

async function up(names: readonly EngineName[], { nodes }: { nodes: '1' | '3' }): Promise<void> {
  const count = nodes === '1' ? 1 : 3
  const started = await Promise.all(chosen(names).map((definition) => folder.up(definition, count, say)))
  say('\nSettings for `rivulet serve`:')
  for (const engine of started)
    for (const [name, value] of Object.entries(engine.settings)) say(`  export ${name}=${value}`)
}

async function down(names: readonly EngineName[]): Promise<void> {
  for (const definition of chosen(names)) {
    await folder.find(definition)?.stop()
    say(`${definition.name}: down`)
  }
}

function status(names: readonly EngineName[]): void {
  for (const definition of chosen(names)) {
    const engine = folder.find(definition)
    if (engine === undefined) say(`${definition.name}: not set up`)
    for (const node of engine?.nodes ?? []) {
      const state = isAlive(node) ? `running, process ${node.process?.pid}` : 'down'
      say(`${node.name}: ${state}, ${node.host}:${node.port}, log ${node.logFile}`)
    }
  }
}

async function wipe(names: readonly EngineName[]): Promise<void> {
  await down(names)
  for (const { name } of chosen(names)) folder.wipe(name)
}

const program = new Command('engines').description(
  `Runs real engines for tests and trials of this checkout, on free ports. Their data is in ${folder.path}; set ENGINES_FOLDER for another folder.`,
)
const which = () =>
  new Argument('[engines...]', 'names of engines; all of them by default').choices(ENGINE_NAMES)
program
  .command('up')
  .description(
    'install what is missing, start the engines and wait until they are ready; ENGINES_REDIS=redis-8 or valkey-8 starts that release instead of the installed Redis',
  )
  .addArgument(which())
  .addOption(
    new Option(
      '--nodes <count>',
      'nodes of each engine; with 3, Redis has three primaries with a replica each',
    )
      .choices(['1', '3'])
      .default('1'),
  )
  .action(up)
program.command('down').description('stop the engines').addArgument(which()).action(down)
program
  .command('status')
  .description('show which nodes run, with their addresses and log files')
  .addArgument(which())
  .action(status)
program
  .command('wipe')
  .description('stop the engines and delete their data')
  .addArgument(which())
  .action(wipe)

await program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
