/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls of a traced thread, made and changed by its registers: of x86-64
 * and arm64. Elsewhere nothing can be done (-EOPNOTSUPP), which who has no other
 * way says by registers_unknown. All return 0 or a negative errno.
 */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>

#if defined(__x86_64__) || defined(__aarch64__)
#define REGISTERS_ARE_KNOWN 1
#else
#define REGISTERS_ARE_KNOWN 0
#endif

static const char registers_unknown[] =
	"only where registers are those of x86-64 or arm64\n";

static inline int registers_move(int request, pid_t tid, int set, void *what,
				 size_t bytes)
{
	struct iovec all = { what, bytes };

	return ptrace(request, tid, (void *) (intptr_t) set, &all) ? -errno : 0;
}

static inline int registers_get(pid_t tid, struct user_regs_struct *regs)
{
	return registers_move(PTRACE_GETREGSET, tid, NT_PRSTATUS, regs,
			      sizeof(*regs));
}

static inline int registers_set(pid_t tid, struct user_regs_struct *regs)
{
	return registers_move(PTRACE_SETREGSET, tid, NT_PRSTATUS, regs,
			      sizeof(*regs));
}

#if defined(__x86_64__)

static inline void registers_put_result(struct user_regs_struct *regs,
					long result)
{
	regs->rax = (unsigned long) result;
}

static inline long registers_result(const struct user_regs_struct *regs)
{
	return (long) regs->rax;
}

/* For a stop where a system call begins: it is this one. */
static inline int registers_set_number(pid_t tid, long number)
{
	struct user_regs_struct regs;
	int ret = registers_get(tid, &regs);

	if (ret)
		return ret;
	regs.orig_rax = (unsigned long) number;
	return registers_set(tid, &regs);
}

/* Of a thread that waits in a system call: it makes this one when it goes on. */
static inline int registers_put_call(pid_t tid, struct user_regs_struct *regs,
				     long number, const unsigned long *args)
{
	(void) tid;
	/* the instruction before is the one that made the call */
	regs->rip -= 2;
	regs->rax = (unsigned long) number;
	regs->orig_rax = -1UL; /* no call is to be begun anew here */
	regs->rdi = args[0];
	regs->rsi = args[1];
	regs->rdx = args[2];
	regs->r10 = args[3];
	regs->r8 = args[4];
	regs->r9 = args[5];
	return 0;
}

#elif defined(__aarch64__)

static inline void registers_put_result(struct user_regs_struct *regs,
					long result)
{
	regs->regs[0] = (unsigned long) result;
}

static inline long registers_result(const struct user_regs_struct *regs)
{
	return (long) regs->regs[0];
}

static inline int registers_set_number(pid_t tid, long number)
{
	int word = (int) number;

	return registers_move(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &word,
			      sizeof(word));
}

static inline int registers_put_call(pid_t tid, struct user_regs_struct *regs,
				     long number, const unsigned long *args)
{
	const uint32_t svc = 0xd4000001;

	/* a call that is to be begun anew has already been gone back to */
	for (int back = 0;; back++) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKTEXT, tid, (void *) regs->pc, NULL);
		if (errno)
			return -errno;
		if ((uint32_t) word == svc)
			break;
		if (back)
			return -EINVAL;
		regs->pc -= 4;
	}
	regs->regs[8] = (unsigned long) number;
	for (int i = 0; i < 6; i++)
		regs->regs[i] = args[i];
	return 0;
}

#else

static inline void registers_put_result(struct user_regs_struct *regs,
					long result)
{
	(void) regs;
	(void) result;
}

static inline long registers_result(const struct user_regs_struct *regs)
{
	(void) regs;
	return -EOPNOTSUPP;
}

static inline int registers_set_number(pid_t tid, long number)
{
	(void) tid;
	(void) number;
	return -EOPNOTSUPP;
}

static inline int registers_put_call(pid_t tid, struct user_regs_struct *regs,
				     long number, const unsigned long *args)
{
	(void) tid;
	(void) regs;
	(void) number;
	(void) args;
	return -EOPNOTSUPP;
}

#endif

/* For a stop where a system call ends: this is what the thread sees of it. */
static inline int registers_set_result(pid_t tid, long result)
{
	struct user_regs_struct regs;
	int ret = registers_get(tid, &regs);

	if (ret)
		return ret;
	registers_put_result(&regs, result);
	return registers_set(tid, &regs);
}

#endif
