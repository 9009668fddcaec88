// A real mail server (the npm package smtp-server) that keeps what it takes.
import { SMTPServer } from "smtp-server";

export interface TakenMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly user: string | null;
  /** Headers and body, as they came. */
  readonly text: string;
  readonly isEncrypted: boolean;
}

export class MailServer {
  readonly mails: TakenMail[] = [];
  /** Refuses every mail. */
  refuses = false;

  private constructor(private readonly server: SMTPServer, readonly port: number) {}

  /**
   * @param login the only user and password; absent: anybody may send
   * @param tls for STARTTLS; absent: plain text only
   * @param isImplicit TLS from the first byte, in place of STARTTLS
   */
  static async start({ login, tls, isImplicit = false }: {
    readonly login?: { readonly user: string; readonly password: string };
    readonly tls?: { readonly key: string; readonly cert: string };
    readonly isImplicit?: boolean;
  } = {}): Promise<MailServer> {
    // deno-lint-ignore prefer-const -- the callbacks below need it
    let self: MailServer;
    const server = new SMTPServer({
      secure: isImplicit,
      authOptional: login === undefined,
      ...(tls === undefined ? { disabledCommands: ["STARTTLS"] } : tls),
      allowInsecureAuth: true,
      closeTimeout: 100,
      onAuth: ({ username, password }, _session, done) =>
        username === login?.user && password === login?.password
          ? done(null, { user: username })
          : done(new Error("wrong user or password")),
      onData: (stream, { envelope: { mailFrom, rcptTo }, user, secure }, done) => {
        let text = "";
        stream.setEncoding("utf8");
        stream.on("data", (part: string) => text += part);
        stream.on("end", () => {
          if (self.refuses) return done(new Error("the mailbox is full"));
          self.mails.push({
            from: mailFrom === false ? "" : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            user: typeof user === "string" ? user : null,
            text,
            isEncrypted: secure,
          });
          done();
        });
      },
    });
    server.on("error", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    self = new MailServer(server, (server.server.address() as { port: number }).port);
    return self;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}
