/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/differential/differences.h - where a journal answers otherwise than a local file system, and why.
 *
 * The written list: `differential -d` prints it, README.md says it to people, the operations leave it out.
 * DIFFERENCE(what, why)
 */
DIFFERENCE("the owner is always the viewer; chown to anybody else is EPERM",
	   "who may do what is policy's, each mount has one person")
DIFFERENCE("mknod of devices is EPERM, also for root", "devices are no documents, and the mount is nodev")
DIFFERENCE("rename and link between journals are EXDEV", "each journal has its own key")
DIFFERENCE("the mount's own directory holds journals only: files are EPERM there, mkdir makes a journal",
	   "a name without a journal has no policy")
DIFFERENCE("reading never changes atime, utimens does", "the mount is noatime: a look would be a write")
DIFFERENCE("st_blocks and st_size of directories, the layout of holes, SEEK_DATA's granularity",
	   "contents lie in encrypted pieces and chunks")
DIFFERENCE("fallocate keeps no space beyond the end of file; COLLAPSE_RANGE and INSERT_RANGE are EOPNOTSUPP",
	   "nothing is stored beyond the end, and no chunk may move without being sealed anew")
DIFFERENCE("O_TMPFILE is EOPNOTSUPP before Linux 6.1, statx has no birth time", "the kernel does not ask")
DIFFERENCE("pages still dirty in a shared mapping when utimens is called set mtime again when they are written; msync before",
	   "the daemon sees when pages are written, not when they were changed")
DIFFERENCE("a shared writable mapping of a file opened with O_APPEND is ENODEV",
	   "appending handles bypass the page cache, so that appends of two mounts can't overlap")
DIFFERENCE("appends are whole between mounts for files opened with O_APPEND; O_APPEND set later by fcntl may be split at pages by another mount's, RWF_APPEND goes where this mount knows the end to be",
	   "the kernel sends such writes a page at a time, or does not tell that they append")
DIFFERENCE("writing through a mapping ends setuid and setgid too", "the daemon can't tell it from write(2)")
DIFFERENCE("O_DIRECT takes any offset and length", "there is no disk block underneath")
DIFFERENCE("lseek reaches beyond the largest file (16 TiB); writing there is EFBIG",
	   "the kernel knows no limit of ours")
DIFFERENCE("a directory without search permission lets \".\" and \"..\" pass, a fifo or socket opens whatever its mode",
	   "the kernel asks nobody; what lies below such a directory is refused")
DIFFERENCE("where EACCES by mode bits and another error both apply, the other may be named",
	   "the kernel asks a journal last")
DIFFERENCE("mode bits bind only viewers whom policy lets write; for others policy alone decides",
	   "a bit taken away must not hide a note from whom only reads and can't give it back")
DIFFERENCE("POSIX ACLs, trusted.* and security.* attributes are not stored; 240 user.* attributes a file",
	   "policy takes the place of the first, no program may rely on the second")
DIFFERENCE("65,000 links a file; RENAME_WHITEOUT is EINVAL", "whiteouts are devices")
