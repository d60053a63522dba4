// A server full of Persian and English talk, for looking at.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { face, noise, picture, voice, type Given } from './files';
import { handle, Person } from './people';
import { parseMarkup } from '../../../client-sdk/typescript/src/text/index';
import { preview, scene } from './scenes';
import { sql } from './sql';
import { tone } from './wav';

/** What people type with marks: Persian, English and both, in all kinds. */
const MARKED = [
  '**فوری:** جلسهٔ امروز __ساعت ۱۷__ است، ~~نه ۱۶~~.',
  'The file is `src/main.rs`, and the key is ||4821||.',
  'نشانی: https://example.org/wiki/Mercury_(planet) و شماره‌ام +98 912 345 6789 است',
  '> نقل از دیروز: همه موافق بودند\nپس شروع کنیم **همین حالا** 🚀',
  '```rust\nfn main() { println!("سلام"); }\n```',
  '۱ + ۲ = ۳ و 1 + 2 = 3',
  '@sara_rezaei لطفاً [گزارش](https://example.org/report) را ببین',
  'C++ و C# و __init__.py و a**b**c همان می‌مانند',
  '6037 9971 1234 5678',
  'یک پاراگراف بلند که **پررنگ** و __مورب__ و `کد` دارد و آن‌قدر ادامه پیدا می‌کند که چند سطر شود و با English words in between هم درست بایستد.',
];

/** As loud as somebody who speaks and takes a breath: 100 values of 5 bits. */
function speech(turn: number): string {
  const bytes = Buffer.alloc(63);
  for (let at = 0; at < 100; at++) {
    const breath = Math.abs(Math.sin(at * 0.17 * turn + turn)) ** 0.7 * (Math.sin(at * 0.61 + turn) > -0.75 ? 1 : 0.12);
    const value = Math.min(Math.round(2 + 29 * breath * (0.45 + 0.55 * Math.abs(Math.sin(at * 2.3 + turn * 5)))), 31);
    for (let bit = 0; bit < 5; bit++) if (value & (1 << bit)) bytes[(at * 5 + bit) >> 3]! |= 1 << ((at * 5 + bit) & 7);
  }
  return bytes.toString('base64').replace(/=+$/, '');
}

/** A film of the media crate's own tests. */
const recording = (name: string, mimeType: string): Given => ({ name, mimeType, buffer: readFileSync(new URL(`../../../server/media/tests/recordings/${name}`, import.meta.url)) });

const later = (days: number): string => new Date(Date.now() + days * 24 * 3_600_000).toISOString();

/** `called` gives the handles: for pictures those that people would choose. */
export async function seed(url: string, called: (name: string) => string = handle) {
  // Drawn first: that takes seconds, and a connection which waits so long is closed.
  const [dusk, portal, hills, desert, tea, rose] = [scene('dusk', 800, 600), scene('portal', 480, 640), scene('hills', 640, 480), scene('desert', 640, 480), scene('tea', 640, 480), scene('rose', 400, 400)];
  const [mina, sara, amir, reza, john] = await Promise.all([
    Person.register(url, 'مینا احمدی', called('mina_ahmadi')),
    Person.register(url, 'سارا رضایی', called('sara_rezaei')),
    Person.register(url, 'امیر', called('amir_tehrani')),
    Person.register(url, 'سید محمدرضا حسینی‌نژاد طباطبایی اصفهانی', called('mr_hosseini')),
    Person.register(url, 'John Appleseed', called('john_appleseed')),
  ]);

  const saraChat = await sara.direct(mina);
  const say = (who: Person, text: string, more?: Parameters<Person['say']>[2]): Promise<number> => who.say(saraChat, text, more);
  await say(sara, 'سلام مینا جان، خوبی؟ 🌹');
  const asked = await say(sara, 'بلیت قطار ساعت ۷:۳۰ شنبه را گرفتم. شماره‌اش 4821-IR است.');
  await say(mina, 'سلام، ممنون. عالی شد!', { reply_to: asked });
  await say(mina, 'Chapar را هم نصب کردم، خیلی روان است 😊');
  await say(sara, 'The meeting link is https://example.org/rooms/چاپار?room=12&lang=fa and it opens at 9.');
  const list = await say(sara, 'برای سفر:\n۱. شناسنامه\n۲. شارژر\n۳. دارو\n@amir هم می‌آید، نشانی‌اش: خیابان ولی‌عصر، پلاک ۱۲');
  const code = 'npm run build && echo "تمام"';
  const lead = 'این را اجرا کن:\n';
  await say(mina, lead + code, { entities: [{ offset: lead.length, length: code.length, type: 'pre', language: 'bash' }] });
  await say(sara, 'مهم: فردا نه، پس‌فردا', { entities: [{ offset: 0, length: 3, type: 'bold' }, { offset: 10, length: 2, type: 'strike' }] });
  await say(mina, '👍');
  await sara.react(saraChat, list, '❤️');
  await mina.react(saraChat, asked, '🙏');
  await sara.read(saraChat, list + 3);
  await mina.read(saraChat, list + 3);

  const amirChat = await amir.direct(mina);
  for (const text of ['سلام', 'کجایی؟', 'یک ساعت است منتظرم', 'زنگ بزن']) await amir.say(amirChat, text);

  const johnChat = await john.direct(mina);
  await john.say(johnChat, 'Hi Mina! Did you get the documents?');
  await mina.say(johnChat, 'Yes, thank you. I will read them tonight.');
  await john.say(johnChat, 'Great. Page 12 matters most; the rest is background.');
  await mina.read(johnChat, 3);

  const rezaChat = await reza.direct(mina);
  await reza.say(rezaChat, 'یک پیام خیلی دراز که در فهرست گفت‌وگوها جا نمی‌شود و باید با سه نقطه بریده شود تا چیزی به هم نریزد');

  const family = await mina.create('group', 'خانواده', [sara, amir, reza]);
  await mina.call('set_info', { chat_id: family, photo: await mina.upload('avatar', picture('family.png', 320, 320, [[240, 180, 90], [140, 40, 60]])) });
  await sara.say(family, 'شام جمعه خانهٔ ما 🍲');
  const plan = await amir.say(family, 'من دوغ می‌آورم');
  await reza.say(family, 'ما هم می‌آییم، ان‌شاءالله');
  await sara.react(family, plan, '😂');
  await reza.react(family, plan, '😂');
  await amir.say(family, 'ساعت چند؟');
  await mina.read(family, await mina.say(family, 'هشت شب خوب است؟'));

  // Somebody is an admin, somebody was asked to be quiet, and somebody does not come back.
  await mina.call('set_role', { chat_id: family, user_id: sara.id, role: 'admin' });
  await mina.call('restrict_member', { chat_id: family, user_id: amir.id, denied: ['write'], until: later(2) });
  await mina.call('add_members', { chat_id: family, user_ids: [john.id] });
  await mina.call('remove_member', { chat_id: family, user_id: john.id });
  await mina.read(family, await sara.say(family, 'پس هشت شب جمعه، همه بیایید'));

  const work = await reza.create('group', 'گروه همکاران پروژهٔ بازسازی راه شاهی و چاپارخانه‌های میان شوش و سارد', [mina, sara, amir]);
  const people = [reza, mina, sara, amir];
  for (let number = 0; number < 40; number++) {
    const { text, entities } = parseMarkup(MARKED[number % MARKED.length]!);
    await people[number % 4]!.say(work, text, { entities: entities as never });
  }
  await mina.read(work, 41);

  const news = await sara.create('channel', 'خبرهای چاپار', [mina, amir, reza], called('chapar_news'));
  const headline = 'نسخهٔ تازهٔ چاپار آمد';
  const post = await sara.say(news, `${headline}\nتماس صوتی روی شبکهٔ ضعیف هم کار می‌کند.`, {
    entities: [{ offset: 0, length: headline.length, type: 'bold' }],
  });
  await mina.react(news, post, '🎉');
  await Promise.all([mina, amir, reza].map((each) => each.read(news, post)));
  const club = await sara.create('group', 'باشگاه کتاب', [mina, amir, john]);
  await amir.say(club, 'این ماه «بوف کور» را می‌خوانیم؟');
  await mina.say(club, 'من «کلیدر» را پیشنهاد می‌دهم!');
  await mina.read(club, await sara.say(club, 'تا رأی‌گیری کمی صبر کنیم.'));
  await sara.call('restrict_member', { chat_id: club, user_id: mina.id, denied: ['write'], until: later(3) });
  const narges = await Person.register(url, 'نرگس', handle('narges'));
  const filesChat = await narges.direct(mina);
  const shown = (given: Given): Promise<string> => narges.upload('photo', given);
  await narges.give(filesChat, { kind: 'photo', file_id: await shown(dusk), text: 'غروب بین‌الحرمین' });
  const album = [];
  for (const [at, given] of [portal, hills, desert].entries()) album.push({ client_id: randomUUID(), body: { kind: 'photo', file_id: await shown(given), ...(at === 0 && { text: 'سه عکس از راه' }) } });
  await narges.call('send_album', { chat_id: filesChat, items: album });
  await narges.give(filesChat, { kind: 'document', file_id: await narges.upload('document', noise('برنامهٔ سفر.pdf', 482_000, 'application/pdf')), text: 'این برنامهٔ سفر است' });
  await narges.give(filesChat, { kind: 'voice', file_id: await narges.upload('voice', voice('v.ogg', 14)), waveform: speech(1) });
  await mina.give(filesChat, { kind: 'voice', file_id: await mina.upload('voice', voice('w.ogg', 6)), waveform: speech(2) });
  await narges.give(filesChat, { kind: 'location', latitude: 34.641, longitude: 50.879, accuracy_m: 12 });
  await narges.give(filesChat, { kind: 'contact', name: 'هتل نور', phone: '+982537740000' });
  const poster = await narges.upload('poster', hills);
  await narges.give(filesChat, { kind: 'video', file_id: await narges.upload('video', recording('film.mp4', 'video/mp4')), poster, preview: preview('hills', 4 / 3), width: 640, height: 480, duration_ms: 1000, text: 'راه برگشت' });
  await mina.give(filesChat, { kind: 'sticker', file_id: await mina.upload('sticker', rose), emoji: '🌹' });
  await narges.give(filesChat, { kind: 'audio', file_id: await narges.upload('audio', { name: 'لالایی.wav', mimeType: 'audio/wav', buffer: tone(330, 3) }), title: 'لالایی', performer: 'مادربزرگ' });
  await narges.give(filesChat, { kind: 'round', file_id: await narges.upload('round', recording('film.webm', 'video/webm')), poster: await narges.upload('poster', tea), preview: preview('tea', 4 / 3), duration_ms: 1000 });
  const last = await mina.give(filesChat, { kind: 'photo', file_id: await mina.upload('photo', tea), text: 'چای تازه‌دم، بفرمایید ☕' });
  await mina.read(filesChat, last);

  // Stickers go round: hers are a pack of her own, his she has added.
  const pack = async (who: Person, title: string, faces: Given[]): Promise<{ id: string; files: string[] }> => {
    const made = { id: randomUUID(), files: await Promise.all(faces.map((it) => who.upload('sticker', it))) };
    const stickers = made.files.map((file_id, at) => ({ file_id, emoji: ['😀', '😢', '😎', '😍'][at % 4] }));
    await who.call('set_sticker_pack', { pack_id: made.id, title, stickers });
    await mina.call('set_items', { items: [{ kind: 'sticker_pack', pack_id: made.id, value: { order: who === mina ? 1 : 2 } }] });
    return made;
  };
  const hers = await pack(mina, 'خنده‌ها', [face('1.png', [250, 200, 60]), face('2.png', [120, 180, 240], false), face('3.png', [240, 140, 150]), face('4.png', [150, 210, 130])]);
  const his = await pack(john, 'Moods', [face('1.png', [200, 160, 240]), face('2.png', [250, 160, 90], false)]);
  const parviz = await Person.register(url, 'پرویز', handle('parviz'));
  const stickerChat = await parviz.direct(mina);
  const sticker = (who: Person, of: typeof hers, at: number): Promise<number> => who.give(stickerChat, { kind: 'sticker', file_id: of.files[at], pack_id: of.id });
  await parviz.say(stickerChat, 'این را ببین!');
  await sticker(parviz, his, 0);
  await sticker(mina, hers, 2);
  await mina.say(stickerChat, 'بستهٔ خودم است 😄');
  const at = new Date().toISOString();
  await mina.call('set_items', { items: [[hers, 2], [hers, 0], [his, 1]].map(([of, n]) => ({ kind: 'recent_sticker', file_id: (of as typeof hers).files[n as number], value: { pack_id: (of as typeof hers).id, at } })) });
  await mina.call('set_items', { items: [{ kind: 'favorite_sticker', file_id: hers.files[0], value: { pack_id: hers.id, at } }] });
  await mina.read(stickerChat, 4);

  // A stranger has written: it waits apart.
  const negar = await Person.register(url, 'نگار', called('negar_moradi'));
  await negar.finds(mina);
  const { chat: request } = await negar.call<{ chat: { id: number } }>('open_direct', { user_id: mina.id });
  await negar.say(request.id, 'سلام! شمارهٔ شما را سارا داده. برای سفر شنبه یک جای خالی دارید؟');
  return { mina, sara, amir, reza, john, negar, chats: { saraChat, amirChat, johnChat, rezaChat, family, news, work, club, filesChat, stickerChat, request: request.id } };
}

/** The evening on which the pictures are taken: 20:40 in Tehran. */
export const EVENING = new Date(new Date().toISOString().slice(0, 10) + 'T17:10:00.000Z');

/** Gives what was said believable times: some minutes ago, yesterday, days ago; the chats are two years old. */
export function stageDay(folder: string, { chats }: Awaited<ReturnType<typeof seed>>): void {
  const days: [chat: number, minutesAgo: number, between: number][] = [
    [chats.saraChat, 9, 3],
    [chats.family, 55, 7],
    [chats.work, 20, 2],
    [chats.news, 325, 1],
    [chats.johnChat, 26 * 60, 4],
    [chats.club, 30 * 60, 4],
    [chats.amirChat, 51 * 60, 11],
    [chats.rezaChat, 5 * 24 * 60, 1],
    [chats.filesChat, 14, 4],
    [chats.stickerChat, 12 * 24 * 60, 1],
    [chats.request, 95, 1],
  ];
  // The voices are silence: they look like somebody who speaks.
  sql(folder, `update messages set body = body || jsonb_build_object('waveform', case when seq % 2 = 0 then '${speech(1)}' else '${speech(2)}' end) where chat_id = ${chats.filesChat} and body->>'kind' = 'voice'`);
  for (const [chat, ago, between] of days) {
    const at = `'${EVENING.toISOString()}'::timestamptz`;
    sql(folder, `update messages m set sent_at = ${at} - make_interval(mins => (${ago} + ${between} * (l.last - m.seq))::int) from (select max(seq) as last from messages where chat_id = ${chat}) l where m.chat_id = ${chat}`);
    sql(folder, `update chats set created_at = ${at} - interval '730 days' where id = ${chat}`);
  }
}
