"""Files as feeds: telling what a file holds, walking folders, reading and writing captures, turning files into raw messages."""
