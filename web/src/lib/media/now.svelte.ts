/** What of the media lies over the page, told to the first load: what draws it is loaded when it is wanted. */
class Now {
  /** The picture or film that is looked at. */
  viewing = $state.raw<{ chatId: number; seq: number } | undefined>();
  /** Something plays, or stands in the middle. */
  player = $state(false);
}

export const now = new Now();
