// Package pluginhost runs a data source's back end as Grafana does: the built
// binary as a child process, spoken to in gRPC over HashiCorp's plugin
// protocol. It is what the workbench page and the back end's tests stand on
// where there is no Grafana.
package pluginhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

// Client owns one back-end process. Its methods may be used by any number of
// goroutines at once; they take and return what the SDK's handlers do.
type Client struct {
	process     *plugin.Client
	data        grpcplugin.DataClient
	diagnostics grpcplugin.DiagnosticsClient
	resource    grpcplugin.ResourceClient
	stream      grpcplugin.StreamClient
}

// Start starts the binary and waits until it answers. Its log lines go to
// logs. Call [Client.Close] to end the process.
func Start(binary string, logs io.Writer) (*Client, error) {
	process := plugin.NewClient(&plugin.ClientConfig{
		Cmd: exec.Command(binary),
		// The plugin has no business in our environment; Grafana hides its own, too.
		SkipHostEnv: true,
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  grpcplugin.ProtocolVersion,
			MagicCookieKey:   grpcplugin.MagicCookieKey,
			MagicCookieValue: grpcplugin.MagicCookieValue,
		},
		VersionedPlugins: map[int]plugin.PluginSet{
			grpcplugin.ProtocolVersion: {
				"data":        &grpcplugin.DataGRPCPlugin{},
				"diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{},
				"resource":    &grpcplugin.ResourceGRPCPlugin{},
				"stream":      &grpcplugin.StreamGRPCPlugin{},
			},
		},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Name: "plugin", Output: logs, Level: hclog.Info}),
	})
	c := &Client{process: process}
	if err := c.dispense(); err != nil {
		process.Kill()
		return nil, fmt.Errorf("start plugin %s: %w", binary, err)
	}
	return c, nil
}

func (c *Client) dispense() error {
	rpc, err := c.process.Client()
	if err != nil {
		return err
	}
	for name, set := range map[string]func(any) bool{
		"data":        func(v any) (ok bool) { c.data, ok = v.(grpcplugin.DataClient); return },
		"diagnostics": func(v any) (ok bool) { c.diagnostics, ok = v.(grpcplugin.DiagnosticsClient); return },
		"resource":    func(v any) (ok bool) { c.resource, ok = v.(grpcplugin.ResourceClient); return },
		"stream":      func(v any) (ok bool) { c.stream, ok = v.(grpcplugin.StreamClient); return },
	} {
		v, err := rpc.Dispense(name)
		if err != nil {
			return fmt.Errorf("dispense %s: %w", name, err)
		}
		if !set(v) {
			return fmt.Errorf("dispense %s: got a %T", name, v)
		}
	}
	return nil
}

// Close ends the process. Calling it twice is safe.
func (c *Client) Close() { c.process.Kill() }

// Exited says whether the process has ended.
func (c *Client) Exited() bool { return c.process.Exited() }

// QueryData asks for data. A query's own error is in its response.
func (c *Client) QueryData(ctx context.Context, req *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	answer, err := c.data.QueryData(ctx, backend.ToProto().QueryDataRequest(req))
	if err != nil {
		return nil, err
	}
	return backend.FromProto().QueryDataResponse(answer)
}

// CheckHealth asks how the data source is.
func (c *Client) CheckHealth(ctx context.Context, req *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	answer, err := c.diagnostics.CheckHealth(ctx, &pluginv2.CheckHealthRequest{
		PluginContext: backend.ToProto().PluginContext(req.PluginContext),
		Headers:       req.Headers,
	})
	if err != nil {
		return nil, err
	}
	return backend.FromProto().CheckHealthResponse(answer), nil
}

// CallResource makes a resource call. An answer that comes in parts is put together.
func (c *Client) CallResource(ctx context.Context, req *backend.CallResourceRequest) (*backend.CallResourceResponse, error) {
	parts, err := c.resource.CallResource(ctx, backend.ToProto().CallResourceRequest(req))
	if err != nil {
		return nil, err
	}
	var whole *backend.CallResourceResponse
	for {
		part, err := parts.Recv()
		if errors.Is(err, io.EOF) {
			if whole == nil {
				return nil, fmt.Errorf("call resource %s: no answer", req.Path)
			}
			return whole, nil
		}
		if err != nil {
			return nil, err
		}
		if whole == nil {
			whole = backend.FromProto().CallResourceResponse(part)
			continue
		}
		whole.Body = append(whole.Body, part.Body...)
	}
}

// SubscribeStream asks whether a channel's path may be subscribed to.
func (c *Client) SubscribeStream(ctx context.Context, req *backend.SubscribeStreamRequest) (*backend.SubscribeStreamResponse, error) {
	answer, err := c.stream.SubscribeStream(ctx, backend.ToProto().SubscribeStreamRequest(req))
	if err != nil {
		return nil, err
	}
	return backend.FromProto().SubscribeStreamResponse(answer), nil
}

// RunStream runs a stream and hands each packet, a frame as JSON, to receive,
// until ctx is done, the stream ends (nil), or receive returns an error.
func (c *Client) RunStream(ctx context.Context, req *backend.RunStreamRequest, receive func(packet json.RawMessage) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	packets, err := c.stream.RunStream(ctx, backend.ToProto().RunStreamRequest(req))
	if err != nil {
		return err
	}
	for {
		packet, err := packets.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := receive(packet.Data); err != nil {
			return err
		}
	}
}
