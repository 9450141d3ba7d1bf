package pacer

// returnOffset is where the RET of hot is.
const returnOffset = 2
