package goproc

import (
	"slices"
	"strings"
)

// keptFunctions are the functions whose code a binary keeps, so that
// [Binary.Sites] finds sites in them: by their full names, of any package. What
// a version lacks, or a program does not link, is an error of Sites for who
// asks.
//
// A row costs each binary as much as the function's code, some 1 KB.
var keptFunctions = []string{
	// The world stops and starts.
	"runtime.startTheWorldWithSema",
	"runtime.stopTheWorldWithSema",
	"runtime.gcstopm",

	// Goroutines run, wait, come and go.
	"runtime.(*timeHistogram).record",
	"runtime.casgstatus",
	"runtime.execute",
	"runtime.gdestroy",
	"runtime.goexit0",
	"runtime.gopark",
	"runtime.gopreempt_m",
	"runtime.goschedImpl",
	"runtime.gostartcall",
	"runtime.gostartcallfn",
	"runtime.injectglist",
	"runtime.netpollready",
	"runtime.newproc1",
	"runtime.park_m",
	"runtime.preemptPark",
	"runtime.ready",
	"runtime.runqput",
	"runtime.stackcheck",

	// Memory is taken, and collected.
	"runtime.(*gcControllerState).endCycle",
	"runtime.(*gcControllerState).resetLive",
	"runtime.(*gcControllerState).startCycle",
	"runtime.gcAssistAlloc",
	"runtime.gcAssistAlloc1",
	"runtime.gcMarkDone",
	"runtime.gcMarkTermination",
	"runtime.gcPaceScavenger",
	"runtime.gcPaceSweeper",
	"runtime.gcStart",
	"runtime.gcSweep",
	"runtime.mallocgc",
	"runtime.mallocgcLarge",
	"runtime.mallocgcSmallNoscan",
	"runtime.mallocgcSmallScanHeader",
	"runtime.mallocgcSmallScanNoHeader",
	"runtime.mallocgcTiny",
	// Since Go 1.27 the compiler calls these, for small objects of known size.
	"runtime.mallocgcSmallNoScanSC2",
	"runtime.mallocgcSmallNoScanSC3",
	"runtime.mallocgcSmallNoScanSC4",
	"runtime.mallocgcSmallNoScanSC5",
	"runtime.mallocgcSmallNoScanSC6",
	"runtime.mallocgcSmallNoScanSC7",
	"runtime.mallocgcSmallNoScanSlowPath",
	"runtime.mallocgcSmallScanNoHeaderSC1",
	"runtime.mallocgcSmallScanNoHeaderSC2",
	"runtime.mallocgcSmallScanNoHeaderSC3",
	"runtime.mallocgcSmallScanNoHeaderSC4",
	"runtime.mallocgcSmallScanNoHeaderSC5",
	"runtime.mallocgcSmallScanNoHeaderSC6",
	"runtime.mallocgcSmallScanNoHeaderSC7",
	"runtime.mallocgcSmallScanSlowPath",
	"runtime.mallocgcTinySC2",
	"runtime.mallocgcTinySlowPath",

	// Requests are served.
	"net/http.(*conn).serve",
	"net/http.(*response).finishRequest",
	"net/http.serverHandler.ServeHTTP",
	"net/http.(*connReader).abortPendingRead",
	"net/http.(*http2serverConn).runHandler.deferwrap1",
	"net/http.(*http2serverConn).runHandler.func2",
	"net/http/internal/http2.(*serverConn).runHandler.deferwrap1",
	"golang.org/x/net/http2.(*serverConn).runHandler.deferwrap1",
	"golang.org/x/net/http2.(*serverConn).runHandler.func2",
	"runtime/pprof.runtime_setProfLabel",
	"net.newTCPConn",
}

// lookedUp are functions of which [FuncTable.Lookup] says whether a binary has
// them, and where; their code is not kept.
var lookedUp = []string{
	"main.main",
	"runtime/pprof.runtime_setProfLabel",
	systemStack,
}

// systemStack runs something on the stack of the thread.
const systemStack = "runtime.systemstack"

// growStack and recovered are what the names of functions begin with that grow
// the stack, or run when a deferred call has recovered.
const growStack, recovered = "runtime.morestack", "runtime.deferreturn"

// neverReturn are what the names of functions begin with after whose call
// nothing runs. One that is missing here adds paths that are not there, and so
// can only prevent a proof.
var neverReturn = []string{
	"runtime.throw", "runtime.fatal", "runtime.gopanic", "runtime.panicIndex", "runtime.panicSlice", "runtime.panicBounds",
	"runtime.panicdivide", "runtime.panicshift", "runtime.panicmem", "runtime.panicdottype", "runtime.panicnildottype",
	"runtime.panicunsafe", "runtime.panicmakeslice", "runtime.goPanic",
}

// wantedFunction says whether a binary remembers where a function is.
func wantedFunction(name string) bool {
	if strings.HasPrefix(name, growStack) || strings.HasPrefix(name, recovered) ||
		slices.Contains(keptFunctions, name) || slices.Contains(lookedUp, name) || slices.Contains(tlsReaders, name) {
		return true
	}
	if slices.ContainsFunc(neverReturn, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
		return true
	}
	return slices.ContainsFunc(globalWitnesses, func(w globalWitness) bool { return name == w.caller || name == w.callee })
}
