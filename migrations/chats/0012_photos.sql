-- Chats have photos: `photo` in `about`, the id of a file of the people's side. A photo is given out while a chat has it.
CREATE INDEX chats_by_photo ON chats ((about ->> 'photo')) WHERE about ->> 'photo' IS NOT NULL;
