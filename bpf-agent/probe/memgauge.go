package probe

// Gauges of package mem: what the runtime of a process knows of its memory.
const (
	MemHeapLive      = "mem.heap_live"
	MemHeapGoal      = "mem.heap_goal"
	MemHeapTrigger   = "mem.heap_trigger"
	MemHeapMarked    = "mem.heap_marked"
	MemHeapObjects   = "mem.heap_objects"
	MemHeapInUse     = "mem.heap_inuse"
	MemHeapIdle      = "mem.heap_idle"
	MemHeapReleased  = "mem.heap_released"
	MemStackInUse    = "mem.stack_inuse"
	MemMapped        = "mem.mapped"
	MemSys           = "mem.sys"
	MemLimit         = "mem.limit"
	MemObjects       = "mem.objects"
	MemGoroutines    = "mem.goroutines"
	MemTotalAlloc    = "mem.total_alloc"
	MemAllocRate     = "mem.alloc_rate"
	MemCollections   = "mem.collections"
	MemPauseTotal    = "mem.pause_total"
	MemGCCPUFraction = "mem.gc_cpu_fraction"
)

var memGauges = []Gauge{
	{MemHeapLive, "By", "Heap as the pacer of collections counts it: marked by the last one, and allocated since."},
	{MemHeapGoal, "By", "Size of the heap that the running collection, or the next one, aims to end at. Without a value where there is neither GOGC nor a memory limit."},
	{MemHeapTrigger, "By", "Size of the heap at which the running collection began, or the next one will."},
	{MemHeapMarked, "By", "What the last collection has marked: the live heap at its end."},
	{MemHeapObjects, "By", "Bytes of objects, those that are dead and not swept yet included; runtime.MemStats.HeapAlloc."},
	{MemHeapInUse, "By", "Bytes in spans of the heap that have objects; runtime.MemStats.HeapInuse."},
	{MemHeapIdle, "By", "Bytes of the heap in no span, be they given back to the system or not; runtime.MemStats.HeapIdle."},
	{MemHeapReleased, "By", "Bytes of the heap given back to the system; runtime.MemStats.HeapReleased."},
	{MemStackInUse, "By", "Bytes in spans of stacks; runtime.MemStats.StackInuse."},
	{MemMapped, "By", "Memory that counts towards the memory limit: all that the runtime has mapped, but for what it gave back."},
	{MemSys, "By", "Memory that the runtime has from the system, given back or not; runtime.MemStats.Sys."},
	{MemLimit, "By", "The memory limit, GOMEMLIMIT. Without a value where there is none."},
	{MemObjects, "1", "Number of objects, those that are dead and not swept yet included; runtime.MemStats.HeapObjects."},
	{MemGoroutines, "1", "Number of goroutines; runtime.NumGoroutine."},
	{MemTotalAlloc, "By", "Bytes allocated for objects since the start, freed or not, as of each P's last new span; runtime.MemStats.TotalAlloc."},
	{MemAllocRate, "By", "Bytes allocated for objects in a second."},
	{MemCollections, "1", "Collections since the start; runtime.MemStats.NumGC."},
	{MemPauseTotal, "ns", "Time that the world was stopped by collections since the start; runtime.MemStats.PauseTotalNs."},
	{MemGCCPUFraction, "1", "Share of the CPU time since the start that collections took, as of the last one; runtime.MemStats.GCCPUFraction."},
}

// MemStats is what the names of gauges begin with that a program publishes.
const MemStats = "memstats."

func published(name, unit, field string) Gauge {
	return Gauge{MemStats + name, unit, "runtime.MemStats." + field + ", as the program publishes it with package memstats."}
}

var publishedGauges = []Gauge{
	published("total_alloc", "By", "TotalAlloc"),
	published("sys", "By", "Sys"),
	published("mallocs", "1", "Mallocs"),
	published("frees", "1", "Frees"),
	published("heap_alloc", "By", "HeapAlloc"),
	published("heap_sys", "By", "HeapSys"),
	published("heap_idle", "By", "HeapIdle"),
	published("heap_inuse", "By", "HeapInuse"),
	published("heap_released", "By", "HeapReleased"),
	published("heap_objects", "1", "HeapObjects"),
	published("stack_inuse", "By", "StackInuse"),
	published("gc_sys", "By", "GCSys"),
	published("next_gc", "By", "NextGC"),
	published("num_gc", "1", "NumGC"),
	published("pause_total", "ns", "PauseTotalNs"),
	published("gc_cpu_fraction", "1", "GCCPUFraction"),
}
