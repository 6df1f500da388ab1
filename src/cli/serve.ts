/** `rivulet serve`: its flags. What it does is loaded when it is called: other commands need no HTTP server. */

import { Command } from 'commander'
import { SERVE_SETTINGS, type ServeFlags } from './serve-flags.ts'
import { addSettings } from './setting-flags.ts'

const HELP = `
Prints its addresses on stdout once it is ready; logs are JSON lines on stderr. SIGTERM and SIGINT end it
cleanly: requests under way are answered, for at most 10 seconds, and all of it takes at most 25. A second signal
ends it at once.`

export const serveCommand = (): Command =>
  addSettings(
    new Command('serve')
      .description('serve the HTTP API from a data folder, or from engines')
      .option('--demo', 'fill a new folder with a small world, and print commands to try on it')
      .addHelpText('after', HELP),
    SERVE_SETTINGS,
  ).action(async (flags: ServeFlags) => (await import('./server.ts')).serve(flags))
