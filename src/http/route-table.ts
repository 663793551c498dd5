/** Which route a URL would reach, without reaching it: the same router with the same routes, whose handlers are their descriptions. */
import type { FastifyInstance, RouteOptions } from 'fastify';
import findMyWay, { type HTTPMethod } from 'find-my-way';
import { accessOf } from './access-kinds.ts';
import { commandOf, isCommand, type RouteFacts } from './rule-request.ts';

/** Fastify's own description: which rule a route has may be said after it was told of. */
type Described = Pick<RouteOptions, 'url' | 'config'>;

export class RouteTable {
  readonly #router: ReturnType<typeof findMyWay>;
  readonly #routes: Described[] = [];

  /** Before any route is registered. The options are those of fastify's own router. */
  constructor(app: FastifyInstance, options: { readonly maxParamLength: number }) {
    this.#router = findMyWay({ ...options });
    app.addHook('onRoute', (route) => {
      this.#routes.push(route);
      for (const method of [route.method].flat())
        this.#router.on(method as HTTPMethod, route.url, () => undefined, route);
    });
  }

  find(method: string, url: string): RouteFacts {
    const path = url.split(/[?#]/, 1)[0] ?? '';
    const found = this.#router.find(method as HTTPMethod, path);
    const { url: route, config } = (found?.store ?? {}) as Partial<Described>;
    return { route, access: accessOf(url, route, config?.access), params: found?.params ?? {} };
  }

  /** What rules may name as commands of the API. */
  commands(): ReadonlySet<string> {
    const ofApi = this.#routes.filter(({ url, config }) => isCommand(accessOf(url, url, config?.access)));
    return new Set(ofApi.map(({ url }) => commandOf(url)));
  }
}
