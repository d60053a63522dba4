// What Chromium itself writes down while something moves: the frames that its compositor draws or drops, and where the
// time of its threads goes. Times in milliseconds.
import { writeFileSync } from 'node:fs';
import type { CDPSession } from 'playwright-core';
import { ARTIFACTS } from '../support/ledger';

let kept = 0;

interface Event {
  name: string;
  ph: string;
  ts: number;
  tid: number;
  pid: number;
  dur?: number;
  args?: { name?: string; frame_reporter?: { state?: string; scroll_state?: string; frame_sequence?: number } };
}

/** The trace's words for each kind of work on the page's own thread; the rest is counted as `other`. */
const WORK: Record<string, readonly string[]> = {
  script: ['FunctionCall', 'EvaluateScript', 'RunMicrotasks', 'FireAnimationFrame', 'EventDispatch', 'TimerFire', 'v8.callFunction', 'MinorGC', 'MajorGC', 'V8.GCScavenger', 'V8.GC_MC_BACKGROUND_SCAVENGER'],
  style: ['UpdateLayoutTree', 'RecalculateStyles', 'ParseHTML'],
  layout: ['Layout'],
  paint: ['PrePaint', 'Paint', 'Layerize', 'UpdateLayer', 'UpdateLayerTree', 'Commit'],
};
const CATEGORIES = ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'disabled-by-default-devtools.timeline.frame', 'devtools.timeline.frame', 'cc', 'viz', 'benchmark'];

export interface Scrolled {
  /** From one frame drawn to the next; a pause between two gestures is no frame. */
  gaps: number[];
  /** Frames of the compositor, by what became of them. */
  presented: number;
  dropped: number;
  /** The page's own thread had to paint for each step of the scrolling. */
  onMain: boolean;
  /** Milliseconds of work of each kind on the page's own thread. */
  work: Record<string, number>;
  /** Of threads that paint tiles, and of the one that puts them together. */
  raster: number;
  display: number;
  /** Tasks of the page's own thread. */
  tasks: number[];
  /** How long it was traced. */
  lasted: number;
}

/** Traces what happens while `work` goes on. */
export async function traced(cdp: CDPSession, work: () => Promise<void>): Promise<Scrolled> {
  const events: Event[] = [];
  const take = ({ value }: { value: unknown[] }): void => void events.push(...(value as Event[]));
  cdp.on('Tracing.dataCollected', take);
  await cdp.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: CATEGORIES } });
  const began = performance.now();
  await work();
  const lasted = performance.now() - began;
  const done = new Promise<void>((resolve) => cdp.once('Tracing.tracingComplete', () => resolve()));
  await cdp.send('Tracing.end');
  await done;
  cdp.off('Tracing.dataCollected', take);
  // To be opened with ui.perfetto.dev or the browser's own tools.
  if (process.env.KEEP_TRACES) writeFileSync(`${ARTIFACTS}trace-${++kept}.json`, JSON.stringify({ traceEvents: events }));
  return { ...summed(events), lasted };
}

/** With KEEP_TRACES: which functions the time goes to, from now until what is returned is called; for the browser's own tools. */
export async function profiling(cdp: CDPSession): Promise<(name: string) => Promise<void>> {
  if (!process.env.KEEP_TRACES) return async () => {};
  await cdp.send('Profiler.enable');
  await cdp.send('Profiler.setSamplingInterval', { interval: 100 });
  await cdp.send('Profiler.start');
  return async (name) => {
    const { profile } = await cdp.send('Profiler.stop');
    writeFileSync(`${ARTIFACTS}${name.replaceAll(' ', '-')}.cpuprofile`, JSON.stringify(profile));
  };
}

function summed(events: Event[]): Omit<Scrolled, 'lasted'> {
  const drawn = events.filter(({ name }) => name === 'DrawFrame').map(({ ts }) => ts / 1000).sort((a, b) => a - b);
  const gaps = drawn.slice(1).map((time, index) => time - (drawn[index] ?? time)).filter((gap) => gap > 1 && gap < 250);
  // One frame may be reported twice, by the compositor and by the page: it was seen if either of them was.
  const frames = new Map<number, boolean>();
  let onMain = 0;
  for (const { name, ph, args } of events) {
    const report = args?.frame_reporter;
    if (name !== 'PipelineReporter' || ph !== 'b' || report?.frame_sequence === undefined || report.scroll_state === 'SCROLL_NONE') continue;
    const [seen, lost] = [report.state?.startsWith('STATE_PRESENTED') === true, report.state === 'STATE_DROPPED'];
    if (seen || lost) frames.set(report.frame_sequence, seen || frames.get(report.frame_sequence) === true);
    if (seen && report.scroll_state === 'SCROLL_MAIN_THREAD') onMain += 1;
  }
  const threads = new Map<string, string>();
  for (const { name, ph, pid, tid, args } of events) if (ph === 'M' && name === 'thread_name') threads.set(`${pid}:${tid}`, args?.name ?? '');
  const named = (wanted: RegExp) => (event: Event): boolean => wanted.test(threads.get(`${event.pid}:${event.tid}`) ?? '');
  const main = own(events.filter(named(/^CrRendererMain/)));
  const work: Record<string, number> = { script: 0, style: 0, layout: 0, paint: 0, other: 0 };
  for (const [name, time] of main) {
    const kind = Object.keys(WORK).find((each) => WORK[each]?.includes(name)) ?? 'other';
    work[kind] = (work[kind] ?? 0) + time;
  }
  const sum = (all: Map<string, number>): number => [...all.values()].reduce((a, b) => a + b, 0);
  return {
    gaps,
    presented: [...frames.values()].filter((seen) => seen).length,
    dropped: [...frames.values()].filter((seen) => !seen).length,
    onMain: onMain > 0,
    work,
    raster: sum(own(events.filter((event) => event.name === 'RasterTask'))),
    display: sum(own(events.filter(named(/^VizCompositorThread/)))),
    tasks: events.filter((event) => event.name === 'RunTask' && event.dur !== undefined && named(/^CrRendererMain/)(event)).map(({ dur }) => (dur ?? 0) / 1000),
  };
}

/** The time that events of one name took without those within them, by name. */
function own(events: Event[]): Map<string, number> {
  const spans = events.filter(({ ph, dur }) => ph === 'X' && dur !== undefined).sort((a, b) => a.pid - b.pid || a.tid - b.tid || a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
  const times = new Map<string, number>();
  const add = (name: string, time: number): void => void times.set(name, (times.get(name) ?? 0) + time / 1000);
  let open: Event[] = [];
  for (const span of spans) {
    const first = open[0];
    if (first && (first.pid !== span.pid || first.tid !== span.tid)) open = [];
    while (open.length > 0 && (open.at(-1) as Event).ts + ((open.at(-1) as Event).dur ?? 0) <= span.ts) open.pop();
    const around = open.at(-1);
    if (around) add(around.name, -(span.dur ?? 0));
    add(span.name, span.dur ?? 0);
    open.push(span);
  }
  return times;
}
