/** The note that a deployment keeps once the whole demo world is loaded. `rivulet move` carries it by this name. */
export const DONE_NOTE = 'demo.json'
