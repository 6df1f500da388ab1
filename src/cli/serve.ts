/** `rivulet serve`: its flags. The server is loaded only when it runs, because other commands need no HTTP server. */

import { Command } from 'commander'
import { SERVE_SETTINGS, type ServeFlags } from './serve-flags.ts'
import { addSettings } from './setting-flags.ts'

const HELP = `
Prints its addresses on stdout once it is ready; logs are JSON lines on stderr. SIGTERM and SIGINT end it
cleanly: requests under way have 10 seconds to be answered, and the whole end takes at most 25. A second signal ends
it at once.`

export const serveCommand = (): Command =>
  addSettings(
    new Command('serve')
      .description('serve the HTTP API from a data folder, or from engines')
      .option('--demo', 'fill a new folder with a small demo world, and print commands to try with it')
      .addHelpText('after', HELP),
    SERVE_SETTINGS,
  ).action(async (flags: ServeFlags) => (await import('./server.ts')).serve(flags))
