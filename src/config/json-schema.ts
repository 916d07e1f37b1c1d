/**
 * The schemas as JSON Schema (draft 7, the newest that all editors take): for editors, for the reference in
 * docs/configuration.md, and for finding the keys that are known at a place in a file.
 */
import { z } from 'zod';
import { deploymentSchema } from './schema-deployment.ts';
import { servicesSchema } from './schema-services.ts';
import { siteSchema } from './schema-site.ts';

export interface JsonSchema {
  readonly description?: string;
  /** Where the reference has the key, if not here. */
  readonly $comment?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly format?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

function convert(schema: z.ZodType, title: string): JsonSchema {
  return z.toJSONSchema(schema.meta({ title }), {
    io: 'input',
    target: 'draft-7',
    // A default that is filled in later (of a BGP neighbour, after its group) is one all the same.
    override: ({ jsonSchema }) => {
      if (!('usual' in jsonSchema)) return;
      jsonSchema.default = jsonSchema.usual as typeof jsonSchema.default;
      delete jsonSchema.usual;
    },
  }) as JsonSchema;
}

export interface ConfigSchemas {
  /** deployment.yaml */
  readonly deployment: JsonSchema;
  /** sites/NAME.yaml */
  readonly site: JsonSchema;
  /** zones/ZONE.yaml */
  readonly zone: JsonSchema;
}

let made: ConfigSchemas | undefined;

/** One schema for each kind of file, as an editor takes it. */
export function jsonSchema(): ConfigSchemas {
  made ??= {
    deployment: convert(deploymentSchema, 'isobar deployment.yaml'),
    site: convert(siteSchema, 'isobar sites/NAME.yaml'),
    zone: convert(servicesSchema, 'isobar zones/ZONE.yaml'),
  };
  return made;
}

/** A schema's alternatives, itself if it has none. */
export function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  const inner = schema.anyOf ?? schema.oneOf;
  return inner ? inner.flatMap(alternatives) : [schema];
}

/** False if `schema` is the branch of a `kind` other than the value's. */
function fits(schema: JsonSchema, value: unknown): boolean {
  const kind = schema.properties?.kind?.const;
  const given = (value as { kind?: unknown } | null | undefined)?.kind;
  return kind === undefined || given === undefined || kind === given;
}

/** The schemas that hold for the value at `path` in `data`. */
export function schemasAt(
  root: JsonSchema,
  path: readonly PropertyKey[],
  data: unknown,
): readonly JsonSchema[] {
  let value = data;
  let schemas = alternatives(root);
  for (const step of path) {
    value = (value as Record<PropertyKey, unknown> | null | undefined)?.[step];
    schemas = schemas.flatMap((schema): readonly JsonSchema[] => {
      const named = typeof step === 'string' ? schema.properties?.[step] : schema.items;
      const open = schema.additionalProperties;
      const next = named ?? (typeof open === 'object' ? open : undefined);
      return next ? alternatives(next) : [];
    });
    schemas = schemas.filter((schema) => fits(schema, value));
  }
  return schemas;
}
