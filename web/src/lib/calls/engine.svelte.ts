/** Filled when the SDK's call client is here. */
export class CallEngine {
  call = $state.raw<{ id: string } | undefined>();
  minimised = $state(false);
  get shown(): boolean {
    return this.call !== undefined && !this.minimised;
  }
  async start(_userId: number, _media: 'voice' | 'video'): Promise<void> {}
}
