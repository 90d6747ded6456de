// SPDX-License-Identifier: Apache-2.0
// SIGINT, SIGTERM and SIGHUP ask to end; a second one changes nothing. It and
// dump_signal are the globals of the command.
#ifndef FLAME_PROF_CLI_STOP_SIGNAL_H
#define FLAME_PROF_CLI_STOP_SIGNAL_H

// System calls return EINTR when a signal comes, that of a child, too. A signal
// that was ignored (nohup) stays so; SIGPIPE is ignored from now on.
void stop_signal_install(void);

// The signal that asked to end, 0 while none has.
int stop_signal_seen(void);

#endif
