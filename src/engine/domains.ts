/** Builds the domains of a process in their order, and refuses those that do not fit together. */

import { RivuletError } from '../core/errors.ts'
import type { Table } from '../ports/store/store.ts'
import type { ViewSpec } from '../ports/views/views.ts'
import type { EngineContext } from './context.ts'
import type { BuiltDomain, Domain, DomainHost, DomainSpec, Reactor } from './domain.ts'
import { ENGINE_TAGS } from './events.ts'
import { engineTables } from './tables.ts'

/** What every domain gets beside the engine. */
export type Host = Pick<DomainHost, 'secret' | 'setting'>

export interface BuiltDomains {
  readonly domains: readonly Domain[]
  /** What a domain offers. */
  use<A>(spec: DomainSpec<A>): A
}

const NAME = /^[a-z][a-z0-9-]{0,29}$/

const wrong = (message: string) => new RivuletError('config_invalid', message)

export function buildDomains(specs: readonly DomainSpec[], context: EngineContext, host: Host): BuiltDomains {
  assertSpecs(specs)
  const built = new Map<string, BuiltDomain<any>>()
  function use<A>(spec: DomainSpec<A>): A {
    const domain = built.get(spec.name)
    if (domain === undefined) {
      throw wrong(
        `the domain ${spec.name} is used before it is built: list it before the domains that use it`,
      )
    }
    return domain.api as A
  }
  for (const spec of specs) built.set(spec.name, spec.create({ ...host, context, use }))
  const domains = specs.map((spec): Domain => {
    const { name, events, tables } = spec
    return { ...(built.get(name) as BuiltDomain<unknown>), name, events, tables }
  })
  assertReactors(domains, viewsOf(specs))
  return { domains, use }
}

/** The views of all domains. @throws `config_invalid` where two domains mean different views by one name */
export function viewsOf(specs: readonly DomainSpec[]): readonly ViewSpec[] {
  const byName = new Map<string, { readonly view: ViewSpec; readonly domain: string }>()
  for (const { name: domain, views = [] } of specs) {
    for (const view of views) {
      const other = byName.get(view.name)?.view
      if (!NAME.test(view.name)) throw wrong(`${domain}: ${view.name} is no name of a view`)
      if (other !== undefined && (other.capacity !== view.capacity || other.keep !== view.keep)) {
        throw wrong(
          `the view ${view.name} is declared twice, with ${other.capacity} (${other.keep}) and ${view.capacity} (${view.keep}) entries: give one of them another name`,
        )
      }
      byName.set(view.name, { view, domain })
    }
  }
  return [...byName.values()].map(({ view }) => view)
}

/** The tables of the engine and all domains. @throws `config_invalid` where two of them declare one */
export function tablesOf(specs: readonly DomainSpec[]): readonly Table[] {
  const owners = new Map(engineTables.map(({ name }) => [name, 'the engine']))
  for (const { name: domain, tables } of specs) {
    for (const { name } of tables) {
      const owner = owners.get(name)
      if (owner !== undefined) {
        throw wrong(
          `the table ${name} is declared by ${owner} and by ${domain}: give one of them another name`,
        )
      }
      owners.set(name, domain)
    }
  }
  return [...engineTables, ...specs.flatMap(({ tables }) => tables)]
}

export function assertSpecs(specs: readonly DomainSpec[]): void {
  for (const [i, spec] of specs.entries()) {
    const { name, tags, events } = spec
    const [from, to] = tags
    if (!NAME.test(name))
      throw wrong(`${name} is no name of a domain: lower-case letters, digits and hyphens, at most 30`)
    if (!(from > 0 && from <= to && to < ENGINE_TAGS)) {
      throw wrong(`${name}: event tags from ${from} to ${to} are no range within 1 to ${ENGINE_TAGS - 1}`)
    }
    for (const other of specs.slice(0, i)) {
      if (other.name === name) throw wrong(`two domains are called ${name}`)
      if (from <= other.tags[1] && other.tags[0] <= to) {
        throw wrong(
          `${name} and ${other.name} both have event tags from ${Math.max(from, other.tags[0])} on: give ${name} another range`,
        )
      }
    }
    assertEvents(name, events, from, to)
  }
  tablesOf(specs)
  viewsOf(specs)
}

function assertEvents(domain: string, events: DomainSpec['events'], from: number, to: number): void {
  const byTag = new Map<number, string>()
  for (const { tag, name } of events) {
    if (tag < from || tag > to) {
      throw wrong(`${domain}: the event ${name} has the tag ${tag}, which is not from ${from} to ${to}`)
    }
    const other = byTag.get(tag)
    if (other !== undefined)
      throw wrong(`${domain}: the events ${other} and ${name} have the same tag ${tag}`)
    byTag.set(tag, name)
  }
}

function assertReactors(domains: readonly Domain[], views: readonly ViewSpec[]): void {
  const known = new Set(views.map(({ name }) => name))
  const names = new Set<string>()
  const types = new Set(domains.flatMap(({ events }) => events))
  const check = (domain: string, { name, holds, takes }: Reactor): void => {
    if (!NAME.test(name))
      throw wrong(
        `${domain}: ${name} is no name of a reactor: lower-case letters, digits and hyphens, at most 30`,
      )
    if (names.has(name)) throw wrong(`two reactors are called ${name}`)
    names.add(name)
    const unknown = holds === 'log' ? undefined : holds.find((view) => !known.has(view))
    if (unknown !== undefined)
      throw wrong(`the reactor ${name} holds the view ${unknown}, which no domain declares`)
    const foreign = takes.find((type) => !types.has(type))
    if (foreign !== undefined)
      throw wrong(`the reactor ${name} takes ${foreign.name}, which no domain declares`)
  }
  for (const { name, reactors = [] } of domains) for (const reactor of reactors) check(name, reactor)
}
