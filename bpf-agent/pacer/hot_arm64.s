#include "textflag.h"

// func hot()
TEXT ·hot(SB), NOSPLIT|NOFRAME, $0-0
	CBZ ZR, over
over:
	RET

// func hotAddress() uintptr
TEXT ·hotAddress(SB), NOSPLIT, $0-8
	MOVD $·hot(SB), R0
	MOVD R0, ret+0(FP)
	RET
