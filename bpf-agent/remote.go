package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
)

// remote is an agent that answers at a URL, and how it lets one ask.
type remote struct {
	Agent      string `placeholder:"URL" help:"Agent to ask. Without one, render asks that on ${agent_url}, top too if it answers, and list looks by itself."`
	TokenFile  string `type:"path" help:"File with the agent's bearer token."`
	CA         string `name:"ca" env:"GOTHERM_CA" type:"path" help:"PEM file to check the agent's certificate against, when it is not a public one."`
	ClientCert string `type:"path" help:"Client certificate to show the agent, as PEM."`
	ClientKey  string `type:"path" help:"Key of the client certificate, as PEM."`
}

const defaultAgent = "http://127.0.0.1:7117"

// client asks that agent.
func (c remote) client() (gothermpbconnect.AgentServiceClient, error) {
	config := &tls.Config{}
	if c.CA != "" {
		content, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("CA %s holds no PEM certificate", c.CA)
		}
	}
	if c.ClientCert != "" || c.ClientKey != "" {
		pair, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("client certificate %q with key %q: %w", c.ClientCert, c.ClientKey, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	var options []connect.ClientOption
	if c.TokenFile != "" {
		token, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("token file: %w", err)
		}
		bearer := "Bearer " + strings.TrimSpace(string(token))
		options = append(options, connect.WithInterceptors(connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
			return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
				r.Header().Set("Authorization", bearer)
				return next(ctx, r)
			}
		})))
	}
	url := c.Agent
	if url == "" {
		url = defaultAgent
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 30 * time.Second}
	return gothermpbconnect.NewAgentServiceClient(client, url, options...), nil
}
