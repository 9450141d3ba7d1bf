#include "textflag.h"

// func hot()
TEXT ·hot(SB), NOSPLIT|NOFRAME, $0-0
	PUSHQ BP
	POPQ  BP
	RET

// func hotAddress() uintptr
TEXT ·hotAddress(SB), NOSPLIT, $0-8
	LEAQ ·hot(SB), AX
	MOVQ AX, ret+0(FP)
	RET
