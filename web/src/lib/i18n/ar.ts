import type fa from './fa';
import { numbers } from './numbers';

const n = numbers('ar');
const rules = new Intl.PluralRules('ar');

/** Arabic counts in six forms; zero and "other" look alike here. */
function some(count: number, one: string, two: string, few: string, many: string): string {
  switch (rules.select(count)) {
    case 'one':
      return one;
    case 'two':
      return two;
    case 'few':
      return `${n(count)} ${few}`;
    default:
      return `${n(count)} ${many}`;
  }
}
const messages = (count: number, adjective: [string, string, string]): string =>
  some(count, `رسالة ${adjective[0]}`, `رسالتان ${adjective[1]}`, `رسائل ${adjective[2]}`, `رسالة ${adjective[0]}`);

const ar: typeof fa = {
  name: 'العربية',
  app: 'جابار',
  tagline: 'مراسلة لا تضيع فيها رسالة',

  common: {
    back: 'رجوع',
    close: 'إغلاق',
    cancel: 'إلغاء',
    save: 'حفظ',
    retry: 'أعد المحاولة',
    copy: 'نسخ',
    copied: 'تم النسخ',
    delete: 'حذف',
    edit: 'تعديل',
    more: 'المزيد',
    you: 'أنت',
    loading: 'جارٍ التحميل…',
    limitUntil: (when) => `بلغت الحد لهذا؛ يعود ممكنًا ${when}.`,
    unknownPerson: 'شخص ما',
    and: '، ',
  },

  auth: {
    signIn: 'دخول',
    signUp: 'إنشاء حساب',
    welcome: 'أهلًا بك في جابار',
    welcomeBack: 'أهلًا بعودتك',
    step: (step: number, of: number) => `الخطوة ${n(step)} من ${n(of)}`,
    next: 'التالي',
    nameAsk: 'ما اسمك؟',
    handleAsk: 'اختر اسم مستخدم',
    handleWhy: 'به يجدك الآخرون، ولا حاجة إلى رقم هاتف.',
    passwordAsk: 'اختر كلمة مرور',
    passwordWhy: 'بها تدخل من أجهزتك الأخرى.',
    handle: 'اسم المستخدم',
    handleHint: 'حروف إنجليزية وأرقام وشرطة سفلية؛ من ٣ إلى ٣٢',
    name: 'اسمك',
    nameHint: 'كما يراه الآخرون',
    password: 'كلمة المرور',
    passwordHint: '٨ أحرف على الأقل',
    show: 'إظهار كلمة المرور',
    hide: 'إخفاء كلمة المرور',
    haveAccount: 'لديك حساب؟',
    noAccount: 'ليس لديك حساب؟',
    language: 'اللغة',
    signedOutElsewhere: 'خرج هذا الجهاز من الحساب. ادخل من جديد؛ الرسائل غير المرسلة محفوظة.',
  },

  list: {
    title: 'المحادثات',
    empty: 'لا محادثات بعد',
    emptyLead: 'ابدأ باسم مستخدم أحدهم، أو أنشئ مجموعة.',
    none: 'لا محادثة بهذا الاسم',
    filter: 'ابحث عن محادثة أو ‎@اسم',
    requests: 'طلبات المراسلة',
    requestCount: (count) => some(count, 'طلب واحد', 'طلبان', 'طلبات', 'طلبًا'),
    unread: (count) => messages(count, ['غير مقروءة', 'غير مقروءتين', 'غير مقروءة']),
    draft: 'مسودة',
    unsent: 'لم ترسل بعد',
    failed: 'لم ترسل',
    newChat: 'محادثة جديدة',
    saved: 'ملاحظاتي',
    calls: 'المكالمات',
    settings: 'الإعدادات',
    noMessages: 'لا رسائل بعد',
    find: 'بحث',
    findPublic: (handle) => `ابحث عن ‎@${handle}`,
    pick: 'اختر محادثة',
    pickLead: 'تُفتح الرسائل هنا. اضغط «؟» لقائمة الاختصارات.',
  },

  create: {
    open: 'فتح',
    notFound: (handle) => `لا أحد ولا محادثة باسم ‎@${handle}.`,
  },

  chat: {
    kind: { direct: 'محادثة', group: 'مجموعة', channel: 'قناة' },
    message: 'رسالة',
    write: 'اكتب رسالة…',
    writeChannel: 'اكتب في القناة…',
    restricted: 'منعك مشرف من الكتابة هنا.',
    restrictedUntil: (when) => `منعك مشرف من الكتابة حتى ${when}.`,
    quiet: 'لا يكتب الآن في هذه المجموعة إلا المشرفون.',
    views: (count) => some(count, 'مشاهدة واحدة', 'مشاهدتان', 'مشاهدات', 'مشاهدة'),
    readOnly: 'يكتب المشرفون فقط في هذه القناة.',
    send: 'إرسال',
    emoji: 'رموز تعبيرية',
    history: 'الرسائل',
    newBelow: (count) =>
      count > 0 ? `${messages(count, ['جديدة', 'جديدتان', 'جديدة'])}؛ إلى النهاية` : 'إلى النهاية',
    returnTo: 'العودة إلى حيث كنت',
    unreadHere: 'رسائل غير مقروءة',
    empty: 'اكتب أول رسالة',
    emptyLead: 'الساعي جاهز.',
    loadingOlder: 'جارٍ تحميل الرسائل السابقة…',
    offlineOlder: 'الرسائل السابقة تحتاج إلى الشبكة.',
    edited: 'معدّلة',
    deleted: 'حُذفت هذه الرسالة',
    unsupported: 'حدّث جابار لرؤية هذه الرسالة',
    waiting: 'في انتظار الشبكة',
    sent: 'أُرسلت',
    read: 'قُرئت',
    failed: 'لم ترسل',
    resend: 'أعد الإرسال',
    discard: 'تجاهل',
    tooLateToDiscard: 'ربما أُرسلت؛ احذفها حين تظهر.',
    draftLeft: 'ما كنت تكتبه ما زال هنا:',
    reply: 'رد',
    replyingTo: (name) => `رد على ${name}`,
    editing: 'تعديل الرسالة',
    react: 'تفاعل',
    reactWith: (emoji) => `تفاعل بـ ${emoji}`,
    reactions: (emoji, count) => `${emoji} ${some(count, 'شخص واحد', 'شخصان', 'أشخاص', 'شخصًا')}`,
    moreReactions: 'تفاعلات أخرى',
    select: 'تحديد',
    selected: (count) => `المحدد: ${n(count)}`,
    copyText: 'نسخ النص',
    pin: 'تثبيت',
    unpin: 'إلغاء التثبيت',
    deleteQuestion: (count) => (count === 1 ? 'أتحذف هذه الرسالة؟' : `أتحذف ${some(count, 'رسالة', 'رسالتين', 'رسائل', 'رسالة')}؟`),
    deleteLead: 'تُحذف عند الجميع ولا تعود.',
    jumpToDate: 'الانتقال إلى يوم',
    info: 'عن المحادثة',
    actions: 'إجراءات الرسالة',
    call: 'مكالمة صوتية',
    videoCall: 'مكالمة مرئية',
    spoiler: 'نص مخفي؛ اضغط لإظهاره',
    from: (name) => `من ${name}`,
    gone: 'الرسالة الأصلية غير متاحة',
    tooLong: (over) => `أطول من الحد بـ ${n(over)}`,
    sendAsMany: (count) => `إرسالها في ${n(count)} رسائل`,
    tooManyLinks: 'روابط هذه الرسالة وتنسيقها أكثر من الحد.',
    copyCode: 'نسخ الشيفرة',
    openLink: 'هذا الرابط يقود إلى مكان آخر. أتفتحه؟',
  },

  format: {
    bar: 'تنسيق النص',
    bold: 'عريض',
    italic: 'مائل',
    strike: 'مشطوب',
    code: 'شيفرة',
    spoiler: 'مخفي',
    link: 'رابط',
  },

  presence: {
    online: 'متصل',
    typing: 'يكتب…',
    typingOne: (name) => `${name} يكتب…`,
    typingMany: (count) => `${some(count, 'شخص', 'شخصان', 'أشخاص', 'شخصًا')} يكتبون…`,
    seenNow: 'آخر ظهور الآن',
    seenMinutes: (count) => `آخر ظهور قبل ${some(count, 'دقيقة', 'دقيقتين', 'دقائق', 'دقيقة')}`,
    seenToday: (time) => `آخر ظهور اليوم ${time}`,
    seenYesterday: (time) => `آخر ظهور أمس ${time}`,
    seenOn: (day) => `آخر ظهور ${day}`,
    members: (count) => some(count, 'عضو واحد', 'عضوان', 'أعضاء', 'عضوًا'),
  },

  service: {
    created: (who, own = false) => (own ? `${who} أنشأت المحادثة` : `أنشأ ${who} المحادثة`),
    joined: (who, own = false) => (own ? `${who} انضممت` : `انضم ${who}`),
    left: (who, own = false) => (own ? `${who} غادرت` : `غادر ${who}`),
    added: (who, whom, own = false) => (own ? `${who} أضفت ${whom}` : `أضاف ${who} ${whom}`),
    removed: (who, whom, own = false) => (own ? `${who} أزلت ${whom}` : `أزال ${who} ${whom}`),
    other: 'حدث في المحادثة',
    call: 'مكالمة',
    callMissed: 'مكالمة فائتة',
    callCame: (outcome) => `مكالمة؛ ${outcome}`,
    callCut: (time) => `مكالمة انقطعت بعد ${time}`,
    callLasted: (time) => `مكالمة؛ ${time}`,
  },

  time: {
    today: 'اليوم',
    yesterday: 'أمس',
  },

  net: {
    offline: 'لا شبكة. تُحفظ الرسائل وتُرسل حين تعود الشبكة.',
    connecting: 'جارٍ الاتصال…',
    retryNow: 'الآن',
    stopped: 'هذه الصفحة لا تتوافق مع الخادم. حدّث جابار.',
    noStorage: 'هذا المتصفح لا يتيح التخزين. يعمل جابار لكنه لا يحتفظ بشيء بعد إغلاقه.',
    newVersion: 'إصدار جديد من جابار جاهز.',
    update: 'تحديث',
    later: 'لاحقًا',
  },

  call: {
    missed: (count) => some(count, 'مكالمة فائتة', 'مكالمتان فائتتان', 'مكالمات فائتة', 'مكالمة فائتة'),
    outcome: {
      noAnswer: 'لا رد',
      unreachable: 'تعذّر الوصول إليه',
      busy: 'كان في مكالمة أخرى',
      declined: 'رُفضت',
      cancelled: 'أُلغيت',
      notConnected: 'تعذّر إجراؤها',
      dropped: 'انقطعت',
      server: 'أُعيد تشغيل الخادم',
    },
    full: 'هناك مكالمة أخرى جارية',
  },

  errors: {
    bad_request: 'الطلب غير صحيح.',
    too_large: 'أكبر من الحد.',
    invalid_credentials: 'اسم المستخدم أو كلمة المرور غير صحيح.',
    handle_taken: 'هذا الاسم مأخوذ.',
    bad_handle: 'اسم المستخدم من ٣ إلى ٣٢ حرفًا إنجليزيًا أو رقمًا أو شرطة سفلية، ويبدأ بحرف.',
    bad_password: 'كلمة المرور من ٨ إلى ١٠٢٤ بايت.',
    bad_title: 'الاسم من ١ إلى ١٢٨ حرفًا.',
    registration_closed: 'هذا الخادم لا يقبل حسابات جديدة.',
    bad_text: 'النص فارغ أو فيه حرف لا يُحفظ.',
    text_too_long: 'الرسالة أطول من ٤٠٩٦ حرفًا.',
    bad_entities: 'التنسيق غير صحيح.',
    bad_reaction: 'التفاعل رمز تعبيري واحد.',
    chat_not_found: 'لا محادثة كهذه، أو لست فيها.',
    user_not_found: 'لا يوجد شخص كهذا.',
    message_not_found: 'لا رسالة كهذه، أو حُذفت.',
    forbidden: 'دورك لا يسمح بهذا.',
    chat_full: 'المجموعة ممتلئة.',
    has_left: 'غادر أحدهم هذه المحادثة، ولا يعود إليها إلا بنفسه.',
    reached_too_often: 'راسل غرباء كثيرون هذا الشخص اليوم. حاول لاحقًا.',
    refused_by_user: 'هذا الشخص لا يقبل هذا منك.',
    owner_cannot_leave: 'لا يغادر المالك وفيها آخرون: انقل الملكية أولًا.',
    rate_limited: 'أسرع من اللازم. انتظر قليلًا.',
    overloaded: 'الخادم مشغول. انتظر قليلًا.',
    unavailable: 'الخادم لا يجيب الآن.',
    offline: 'لا شبكة.',
    timeout: 'لم يصل جواب.',
    call_forbidden: 'لا يمكنك الاتصال قبل أن يجيبك الطرف الآخر.',
    call_engaged: 'أنت في مكالمة أخرى.',
    call_ended: 'انتهت تلك المكالمة.',
    unexpected: 'حدث ما لم يُتوقع. ما لديك هنا محفوظ.',
    partMissing: 'تعذّر تحميل هذا الجزء. تحقق من الشبكة وأعد المحاولة.',
  },
};

export default ar;
