/** BIRD 2 as the router of a namespace: its configuration, its start, and questions to it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from './netns.ts';

export interface BirdNeighbor {
  /** Name of the protocol in BIRD. */
  readonly name: string;
  readonly local: string;
  readonly address: string;
  readonly as: number;
  /** Waits to be dialled: for speakers that do not listen. */
  readonly passive: boolean;
}

export interface BirdRouter {
  readonly id: string;
  readonly as: number;
  readonly neighbors: readonly BirdNeighbor[];
}

/**
 * Neighbours of another AS are listened to and told nothing; those of our own are told what they
 * were not told by each other, with ourselves as the next hop. The timers are short, since with the
 * defaults each restart of a session costs 5 to 60 s.
 */
export function birdConfig(router: BirdRouter): string {
  const neighbors = router.neighbors.map((neighbor) => {
    const exported =
      neighbor.as === router.as ? 'export where source = RTS_BGP; next hop self;' : 'export none;';
    return `protocol bgp ${neighbor.name} {
  local ${neighbor.local} as ${router.as};
  neighbor ${neighbor.address} as ${neighbor.as};
  ${neighbor.passive ? 'passive yes;' : ''}
  direct; hold time 9; connect delay time 1; connect retry time 1; error wait time 1,5;
  ipv4 { import all; ${exported} };
}`;
  });
  return `log stderr { warning, error, bug };
router id ${router.id};
protocol device { scan time 5; }
protocol kernel { scan time 5; ipv4 { import none; export all; }; }
${neighbors.join('\n')}
`;
}

export class Bird {
  readonly #space: Namespace;
  readonly #control: string;

  private constructor(space: Namespace, control: string) {
    this.#space = space;
    this.#control = control;
  }

  /** Starts BIRD in `space`; its files go below `dir`. */
  static start(space: Namespace, dir: string, router: BirdRouter): Bird {
    mkdirSync(dir, { recursive: true });
    const file = join(dir, `${space.name}.conf`);
    const control = join(dir, `${space.name}.ctl`);
    writeFileSync(file, birdConfig(router));
    const pid = join(dir, `${space.name}.pid`);
    const child = space.spawn('bird', '-f', '-c', file, '-s', control, '-P', pid);
    child.stderr?.on('data', (text) => process.stderr.write(`bird ${space.name}: ${text}`));
    return new Bird(space, control);
  }

  /** `birdc` with its arguments in one line; its answer as text. */
  ask(question: string): Promise<string> {
    return this.#space.exec('birdc', '-r', '-s', this.#control, ...question.split(' '));
  }

  /** True when the session called `name` is Established. */
  async established(name: string): Promise<boolean> {
    const answer = await this.ask(`show protocols ${name}`).catch(() => '');
    return /\bEstablished\b/.test(answer);
  }
}
