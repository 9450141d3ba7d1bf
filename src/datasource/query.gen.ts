// Generated from pkg/datasource/query by "go tool mage generate". Do not edit.

/**
 * Query is what a panel, an alert rule or Explore asks of the data source.
 */
export interface Query {
  /**
   * Kind is what to return.
   */
  kind: "heatmap" | "series" | "grid" | "releases";
  /**
   * POM is the measurement point, such as "sched.latency". Not used by releases.
   */
  pom?: string;
  /**
   * Matchers keep what has one of the values in each dimension.
   */
  matchers?: Matcher[];
  /**
   * GroupBy lists the dimensions that tell series apart; all others are summed over.
   */
  groupBy?: string[];
  /**
   * Statistics are what a series query computes: "count", "rate" (hits per
   * second), "sum", "share" (of wall time, of a duration: 0.01 for 10 ms
   * in each second), "mean", "max", or a quantile as "p50", "p99.9".
   */
  statistics?: string[];
  /**
   * Side of the goroutine grid: 256, 512 or 1024; 0 lets the agent choose.
   */
  side?: 0 | 256 | 512 | 1024;
  /**
   * Attach asks the agents to watch a measurement point that is only watched on demand, while this query is being asked.
   */
  attach?: boolean;
  /**
   * Live streams new columns as they are complete.
   */
  live?: boolean;
  /**
   * Legend names a series: text with {{dimension}} in it.
   */
  legend?: string;
}
/**
 * Matcher keeps what has one of the values in a dimension.
 */
export interface Matcher {
  dimension: string;
  values: string[];
}
/**
 * Settings is the jsonData of a data source.
 */
export interface Settings {
  agents?: Agent[];
  /**
   * TimeoutSeconds limits one request to one agent; 0 means 10.
   */
  timeoutSeconds?: number;
}
/**
 * Agent is one gotherm-agent to query.
 */
export interface Agent {
  /**
   * Name tells agents apart in notices and health.
   */
  name: string;
  /**
   * URL such as http://127.0.0.1:7117 or https://host:7117.
   */
  url: string;
  /**
   * CA is a PEM certificate that the agent's TLS certificate is checked against, when it is not a public one.
   */
  ca?: string;
}
/**
 * ValuesAnswer lists dimensions, or values of one.
 */
export interface ValuesAnswer {
  values: string[];
  notices?: string[];
}
/**
 * PointsAnswer is the catalogue of measurement points, of all agents together.
 */
export interface PointsAnswer {
  points: Point[];
  notices?: string[];
}
/**
 * Point is a measurement point.
 */
export interface Point {
  name: string;
  /**
   * Unit is "ns" for durations and "1" for counts.
   */
  unit: "ns" | "1";
  tier: string;
  help: string;
  dimensions: string[];
  /**
   * OnDemand is watched only while a query with attach asks for it.
   */
  onDemand: boolean;
}
/**
 * ProcessesAnswer lists the Go processes that the agents see.
 */
export interface ProcessesAnswer {
  processes: Process[];
  notices?: string[];
}
/**
 * Process is a Go process on the host of an agent.
 */
export interface Process {
  agent: string;
  hostname: string;
  id: string;
  pid: number;
  executable: string;
  service: string;
  version: string;
  revision: string;
  goVersion: string;
  /**
   * Refused is why it is not watched; empty when it is.
   */
  refused?: string;
  points: ProcessPoint[];
}
/**
 * ProcessPoint is how a measurement point is with one process.
 */
export interface ProcessPoint {
  pom: string;
  state: "attached" | "firing" | "available" | "refused" | "unknown";
  reason?: string;
  hits: number;
}
/**
 * AgentsAnswer says how each agent is.
 */
export interface AgentsAnswer {
  agents: AgentState[];
}
/**
 * AgentState is how one agent is, in the order of the settings.
 */
export interface AgentState {
  name: string;
  url: string;
  /**
   * Error is why it does not answer; everything below is empty then.
   */
  error?: string;
  version?: string;
  hostname?: string;
  kernel?: string;
  architecture?: string;
  numaNodes?: number;
  cpus?: number;
  processesWatched: number;
  processesRefused: number;
  /**
   * PointsFiring counts pairs of a process and a measurement point that has been seen to fire in it.
   */
  pointsFiring: number;
  accounting?: Accounting[];
}
/**
 * Accounting of one measurement point: carried + counted = hits.
 */
export interface Accounting {
  pom: string;
  hits: number;
  carried: number;
  counted: number;
  /**
   * Coarse are those of the counted whose finer dimensions were given up.
   */
  coarse: number;
}
