/** Commands to a daemon through its own control socket: no client has to be started for each. */
import { createConnection, type Socket } from 'node:net';

/** An answer that does not come within this time is an error. */
const ANSWER_MS = 10_000;

export class ControlSocket {
  readonly #socket: Socket;
  readonly #isWhole: (text: string) => boolean;
  #text = '';
  #done: ((text: string) => void) | null = null;

  private constructor(socket: Socket, isWhole: (text: string) => boolean) {
    this.#socket = socket;
    this.#isWhole = isWhole;
    socket.setEncoding('latin1').on('data', (text: string) => this.#take(text));
  }

  /** `isWhole`: whether what has come is a whole answer. */
  static async open(path: string, isWhole: (text: string) => boolean): Promise<ControlSocket> {
    const socket = createConnection(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    socket.on('error', () => {}); // the daemon has been killed
    return new ControlSocket(socket, isWhole);
  }

  /** Sends a command as it is, and waits for the answer to it. */
  ask(command: string): Promise<string> {
    const answer = new Promise<string>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no answer to ${command}`)), ANSWER_MS);
      this.#done = (text) => {
        clearTimeout(late);
        resolve(text);
      };
    });
    this.#text = '';
    this.#socket.write(command);
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    this.#text += text;
    if (this.#isWhole(this.#text)) this.#done?.(this.#text);
  }
}
