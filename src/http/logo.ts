/** The logo: one stream that becomes three. */

const STREAMS =
  '<path d="M3 16h7c6 0 5-9 11-9h8M10 16h19M10 16c6 0 5 9 11 9h8" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round"/>'

/** Square, for the tab of a browser and the head of a page. */
export const LOGO_SVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32" role="img" aria-label="Rivulet"><rect width="32" height="32" rx="7" fill="#0b6e8f"/>${STREAMS}</svg>`

/** With the name beside it, on a dark bar. */
export const LOGO_WITH_NAME_SVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 136 32" width="136" height="32" role="img" aria-label="Rivulet"><rect width="32" height="32" rx="7" fill="#0b6e8f"/>${STREAMS}<text x="42" y="23" font-family="system-ui,sans-serif" font-size="22" font-weight="600" fill="#fff">Rivulet</text></svg>`
