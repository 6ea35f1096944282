// What the kernel is told of this process through a function of any number of arguments, which Swift cannot
// call.
#include <sys/prctl.h>

/// Lets nobody but root read the memory of this process, and no core be written of it.
static inline int forbid_dumps(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
