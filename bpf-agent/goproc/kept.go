package goproc

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

	// Requests are served.
	"net/http.(*conn).serve",
	"net/http.(*response).finishRequest",
	"net/http.serverHandler.ServeHTTP",
}
