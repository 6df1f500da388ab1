/** Checks every answer that a test gets against the OpenAPI document of its server. */

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

/** A value, and how to make one. */
export interface Described {
  readonly schema: Readonly<Record<string, unknown>>
  readonly example?: unknown
}

export interface Parameter extends Described {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
}

export interface Operation {
  readonly operationId: string
  readonly security: readonly Record<string, unknown>[]
  readonly tags: readonly string[]
  readonly summary: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: { readonly 'application/json': Described } }
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: object }> }>
}

export interface OpenApi {
  readonly openapi: string
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly schemas: Record<string, object> }
}

export interface Contract {
  /** How an answer contradicts the document; `undefined` if it does not. */
  complaint(
    method: string,
    path: string,
    status: number,
    type: string | null,
    body: unknown,
  ): string | undefined
  /** Operations that answered with a success so far. */
  readonly seen: Set<string>
}

export function createContract(document: OpenApi): Contract {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
  ajv.addSchema(document, 'api')
  const compiled = new Map<object, ValidateFunction>()
  const seen = new Set<string>()
  const routes = Object.entries(document.paths).map(([path, operations]) => ({
    pattern: new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`),
    literals: path.split('/').filter((part) => !part.startsWith('{')).length,
    operations,
  }))
  routes.sort((a, b) => b.literals - a.literals)

  function validatorOf(schema: object): ValidateFunction {
    let validate = compiled.get(schema)
    // References are relative to the document.
    const rooted = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/')) as object
    if (validate === undefined) compiled.set(schema, (validate = ajv.compile(rooted)))
    return validate
  }

  return {
    seen,
    complaint(method, path, status, type, body) {
      const route = routes.find(({ pattern }) => pattern.test(path.split('?')[0]))
      const operation = route?.operations[method.toLowerCase()]
      if (operation === undefined) return undefined
      const response = operation.responses[status]
      const where = `${method} ${path} ${status}`
      if (response === undefined) return `${where} is not in the document`
      if (status < 400) seen.add(operation.operationId)
      const content = response.content?.[type?.split(';')[0] ?? '']
      if (content === undefined) return `${where} comes as ${type}, which is not in the document`
      const validate = validatorOf(content.schema)
      return body === undefined || validate(body) ? undefined : `${where}: ${ajv.errorsText(validate.errors)}`
    },
  }
}
