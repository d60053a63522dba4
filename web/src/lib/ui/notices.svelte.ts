/** Short sentences at the foot of the page, read out politely; and questions that want a yes. */
export interface Notice {
  id: number;
  text: string;
  action?: { label: string; run: () => void };
}

export interface Question {
  title: string;
  text?: string;
  yes: string;
  danger?: boolean;
  answer: (yes: boolean) => void;
}

/** How long a sentence stays, in milliseconds: time to read it twice. */
const STAYS = 5_000;

class Notices {
  list = $state.raw<Notice[]>([]);
  question = $state.raw<Question | undefined>();
  #last = 0;

  tell(text: string, action?: Notice['action']): void {
    const id = ++this.#last;
    const notice: Notice = action ? { id, text, action } : { id, text };
    this.list = [...this.list.filter((it) => it.text !== text).slice(-2), notice];
    setTimeout(() => this.dismiss(id), STAYS);
  }

  dismiss(id: number): void {
    this.list = this.list.filter((it) => it.id !== id);
  }

  /** Asks, and resolves with the answer; closing is a no. */
  ask(question: Omit<Question, 'answer'>): Promise<boolean> {
    return new Promise((resolve) => {
      this.question = { ...question, answer: resolve };
    });
  }
}

export const notices = new Notices();
