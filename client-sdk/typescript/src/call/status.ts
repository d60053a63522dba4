// How a call stands, in a word.

/** How a call stands for the person at this tab. */
export type CallStatus =
  /** One calls, and no device of the other rings yet. */
  | "calling"
  /** One calls, and it rings there. */
  | "ringing_there"
  /** It rings here: `accept` or `decline`. */
  | "ringing"
  /** The own other device, which is in the call, asks this one to take over: `takeOver` or `decline`. */
  | "take_over"
  /** Answered; media does not flow yet. */
  | "connecting"
  | "active"
  /** Media flowed and stopped: say that the network is bad, and wait. */
  | "reconnecting"
  /** Another own device, or another tab, is in it. Silence. */
  | "elsewhere"
  /** This device said that it is busy. Silence. */
  | "silent"
  | "ended";
