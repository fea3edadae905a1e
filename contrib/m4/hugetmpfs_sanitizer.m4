dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl HUGETMPFS_SANITIZER(OPTION, WHAT, NAME): --enable-OPTION builds everything
dnl with -fsanitize=WHAT, called NAME in the help; adds to SANITIZER_CFLAGS.
AC_DEFUN([HUGETMPFS_SANITIZER], [
AC_ARG_ENABLE([$1],
	[AS_HELP_STRING([--enable-$1], [build with $3])],
	[], [enable_$1=no])
AS_IF([test "x$enable_$1" = xyes], [
	hugetmpfs_saved_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS -fsanitize=$2"
	AC_MSG_CHECKING([whether programs link with -fsanitize=$2])
	AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
		[AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])
		AC_MSG_ERROR([the compiler has no $3])])
	CFLAGS=$hugetmpfs_saved_CFLAGS
	SANITIZER_CFLAGS="$SANITIZER_CFLAGS -fsanitize=$2"
])
])
