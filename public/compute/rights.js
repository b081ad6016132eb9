// B on its way into a thread, chunk by chunk: each goes as soon as it is here,
// and leaves the page unless somebody else wishes it. So no B need ever be
// whole outside a thread.

import { RIGHT_CHUNKS_MAX, sendingBytes } from './budget.js';

/**
 * Begins to send the B of a block to a thread. `post(right, message, transfer)` reaches the thread;
 * `onSent(right)` is told when the last chunk is on its way.
 */
export function sendRight({ task, rightKey }, { post, onSent, chunks, budget }) {
  const { inner, cols, b } = task;
  const all = b.chunks || [];
  const wishes = []; // of the chunks that go next, in order
  let taken = 0;
  let unanswered = 1;
  let isGone = false;

  function advance() {
    while (!isGone && !right.isSent) {
      while (taken < all.length && wishes.length + unanswered < RIGHT_CHUNKS_MAX) {
        const { hash, rows } = all[taken];
        taken += 1;
        const wish = { hash, length: 8 * rows * cols, owner: right };
        wishes.push(wish);
        chunks.take(wish);
      }
      if (wishes.length === 0 || !chunks.isHere(wishes[0])) return;
      const bytes = chunks.give(wishes.shift());
      unanswered += 1;
      post(right, { type: 'rows', rightKey, bytes }, [bytes.buffer]);
      right.isSent = taken === all.length && wishes.length === 0;
      if (right.isSent) onSent(right);
    }
  }

  const right = {
    /** The blocks of this thread that need it. */
    blocks: new Set(),
    isSent: all.length === 0,
    advance,

    /** The thread took what it was sent, or threw it away. */
    onAnswer() {
      unanswered -= 1;
      advance();
      if (unanswered === 0 && (isGone || right.isSent)) budget.hold(right, 0);
    },

    /** Nobody needs it any more: its thread forgets it, unless that is gone, too. */
    drop(isThreadGone) {
      isGone = true;
      if (isThreadGone || unanswered === 0) budget.hold(right, 0);
      wishes.splice(0).forEach(chunks.release);
      if (!isThreadGone) post(right, { type: 'forget', rightKey });
    },
  };
  budget.hold(right, sendingBytes(task));
  post(right, { type: 'right', rightKey, task: { inner, cols, b } });
  advance();
  return right;
}
