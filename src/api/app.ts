/** The HTTP application as its parts see it, with the request and the response of Node. */
import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';

export interface Env {
  Bindings: HttpBindings;
}

export type App = Hono<Env>;
