/** HTML from templates: values are escaped, unless they were made by a template themselves. */

export interface Html {
  readonly html: string
}

type Part = string | number | undefined | Html | readonly Html[]

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (char) => ESCAPES[char])

/** Values may stand in text and in quoted attributes. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: texts.map((text, at) => text + (at < parts.length ? textOf(parts[at]) : '')).join('') }
}

function textOf(part: Part): string {
  if (part === undefined) return ''
  if (typeof part !== 'object') return escapeHtml(String(part))
  return 'html' in part ? part.html : part.map((one) => one.html).join('')
}
