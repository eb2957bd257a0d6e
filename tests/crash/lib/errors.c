/* The table of errors. */
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "errors.h"

static const struct error_kind kinds[] = {
	{ SYS_openat, OPENING, { EIO, EINTR, ENOMEM, EACCES, EMFILE }, { ENOSPC, EDQUOT }, false },
	{ SYS_read, READING, { EIO, EINTR, ENOMEM }, { 0 }, false },
	{ SYS_pread64, READING, { EIO, EINTR, ENOMEM }, { 0 }, false },
	{ SYS_getdents64, READING, { EIO, ENOMEM }, { 0 }, false },
	{ SYS_write, WRITING, { ENOSPC, EDQUOT, EIO, EINTR, ENOMEM }, { 0 }, true },
	{ SYS_pwrite64, WRITING, { ENOSPC, EDQUOT, EIO, EINTR, ENOMEM }, { 0 }, true },
	{ SYS_ftruncate, WRITING, { EIO, EINTR, EACCES }, { 0 }, false },
	{ SYS_fsync, SYNCING, { ENOSPC, EDQUOT, EIO, EINTR }, { 0 }, false },
	{ SYS_fdatasync, SYNCING, { ENOSPC, EDQUOT, EIO, EINTR }, { 0 }, false },
	{ SYS_renameat, NAMING, { ENOSPC, EDQUOT, EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_linkat, NAMING, { ENOSPC, EDQUOT, EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_mkdirat, NAMING, { ENOSPC, EDQUOT, EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_unlinkat, NAMING, { EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_newfstatat, LOOKING, { EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_fstatfs, LOOKING, { EIO, ENOMEM }, { 0 }, false },
	{ SYS_lseek, LOOKING, { EIO }, { 0 }, false },
#ifdef SYS_rename
	{ SYS_rename, NAMING, { ENOSPC, EDQUOT, EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_mkdir, NAMING, { ENOSPC, EDQUOT, EIO, ENOMEM, EACCES }, { 0 }, false },
	{ SYS_unlink, NAMING, { EIO, ENOMEM, EACCES }, { 0 }, false },
#endif
	{ SYS_mmap, MAPPING, { ENOMEM }, { 0 }, false },
	{ SYS_fcntl, LOCKING, { EINTR, EACCES, ENOLCK }, { 0 }, false },
	{ SYS_flock, LOCKING, { EINTR, ENOLCK }, { 0 }, false },
	{ SYS_accept4, SERVING, { EINTR, ENOMEM, EMFILE }, { 0 }, false },
	{ SYS_ppoll, SERVING, { EINTR, ENOMEM }, { 0 }, false },
	{ SYS_pipe2, SERVING, { EMFILE }, { 0 }, false },
	{ SYS_clone, SERVING, { ENOMEM }, { 0 }, false },
	{ SYS_wait4, SERVING, { EINTR }, { 0 }, false },
};

const struct error errors[] = {
	{ "short", SHORT }, { "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT }, { "EIO", EIO }, { "EINTR", EINTR }, { "ENOMEM", ENOMEM },
	{ "EACCES", EACCES }, { "EMFILE", EMFILE }, { "ENOLCK", ENOLCK },
};
const size_t errors_len = sizeof(errors) / sizeof(errors[0]);

const char *
error_name(int error)
{
	size_t i;

	for (i = 0; i < errors_len; i++)
		if (errors[i].error == error)
			return errors[i].name;
	return "?";
}

const struct error_kind *
error_kind(const struct call *call)
{
	size_t i;

	if (strstr(call->path, ".gcda") != NULL)
		return NULL;	/* not the agent's: see tests/coverage */
	if (call->nr == SYS_fcntl && call->args[1] != F_SETLK && call->args[1] != F_OFD_SETLK)
		return NULL;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].nr == call->nr)
			return &kinds[i];
	return NULL;
}

bool
error_can_happen(const struct error_kind *kind, const struct call *call, int error)
{
	size_t i;

	if (error == SHORT)
		return kind->shortens && call->args[2] > 1;
	for (i = 0; kind->errors[i] != 0; i++)
		if (kind->errors[i] == error)
			return true;
	if (kind->group == OPENING && (call->args[2] & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) != 0)
		for (i = 0; kind->making[i] != 0; i++)
			if (kind->making[i] == error)
				return true;
	return false;
}
