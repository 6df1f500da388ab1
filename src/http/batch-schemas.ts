/** Schemas of batches (batch.ts): the body, its items, and the results. */

import Type, { type TObject, type TSchema } from 'typebox'
import { ERROR_CODES } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { IdempotencyKey } from './schemas.ts'

export const batchBody = <I extends TObject>(item: I, example: object) =>
  Type.Object(
    { items: Type.Array(item, { minItems: 1, maxItems: LIMITS.batchItemsMax }) },
    { additionalProperties: false, examples: [{ items: [example] }] },
  )

/** Fields of every item. */
export const batchFields = { idempotency_key: Type.Optional(IdempotencyKey) }

const ItemProblem = Type.Object(
  {
    code: Type.String({ description: 'Stable: clients decide by it.', enum: Object.keys(ERROR_CODES) }),
    detail: Type.String({ description: 'For people; its wording may change.' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object(
          { path: Type.String({ description: 'JSON pointer into the item.' }), message: Type.String() },
          { additionalProperties: false },
        ),
      ),
    ),
    retriable: Type.Boolean({ description: 'Whether the same item can succeed later.' }),
  },
  { additionalProperties: false },
)

/** @param fields of the answer that the single route gives */
export const batchAnswer = <P extends Readonly<Record<string, TSchema>>>(title: string, fields: P) =>
  Type.Object(
    {
      results: Type.Array(
        Type.Union([
          Type.Object(
            { status: Type.Integer({ minimum: 200, maximum: 299 }), ...fields },
            { additionalProperties: false },
          ),
          Type.Object(
            { status: Type.Integer({ minimum: 400, maximum: 599 }), problem: ItemProblem },
            { additionalProperties: false },
          ),
        ]),
        { description: 'One for each item, in their order.' },
      ),
    },
    { additionalProperties: false, title },
  )
