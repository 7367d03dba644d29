// Server-sent events out of a byte stream, at any chunking.

/** Feeds on text, calls `event` with the data of every complete event. Comments and unknown fields are skipped. */
export class SseParser {
  private rest = "";
  private data: string[] = [];
  constructor(private readonly event: (data: string) => void) {}

  push(text: string): void {
    this.rest += text;
    let from = 0;
    for (let at = this.rest.indexOf("\n"); at >= 0; at = this.rest.indexOf("\n", from)) {
      const end = at > from && this.rest[at - 1] === "\r" ? at - 1 : at;
      this.line(this.rest.slice(from, end));
      from = at + 1;
    }
    this.rest = this.rest.slice(from);
  }

  private line(line: string): void {
    if (line === "") {
      if (this.data.length) this.event(this.data.join("\n"));
      this.data = [];
    } else if (line.startsWith("data:")) {
      this.data.push(line.slice(line[5] === " " ? 6 : 5));
    }
  }
}

export async function readEvents(body: ReadableStream<Uint8Array>, event: (data: string) => void): Promise<void> {
  const parser = new SseParser(event);
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parser.push(decoder.decode(value, { stream: true }));
  }
  parser.push(decoder.decode() + "\n\n");
}
