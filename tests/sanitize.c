/* What the programs of `make sanitize` tell the sanitizers. Compiled in, since the agent keeps no environment. */

const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);

/* A process that ends looks for no leaks, unless ASAN_OPTIONS says so: the unit tests' do. */
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* A handle of an earlier generation of the ledger is abandoned on purpose (bdb_env_abandon): to close it would touch shared memory
 * that is not ours any more. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libdb\n";
}
