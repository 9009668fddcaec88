// Command count calls the tool of a counter three times with a Go client: count CLIENT URL TOOL. The token is in the variable
// TOKEN. It prints the texts that the calls have given, as a JSON array.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"

	mark3labs "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	mark3labsmcp "github.com/mark3labs/mcp-go/mcp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const times = 3

type bearer struct{}

func (bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
	return http.DefaultTransport.RoundTrip(request)
}

func goSDK(ctx context.Context, url, tool string) []string {
	client := mcp.NewClient(&mcp.Implementation{Name: "count", Version: "1"}, nil)
	transport := &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: bearer{}}}
	session := must(client.Connect(ctx, transport, nil))
	defer session.Close()
	var texts []string
	for range times {
		result := must(session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: map[string]any{}}))
		texts = append(texts, result.Content[0].(*mcp.TextContent).Text)
	}
	return texts
}

func mcpGo(ctx context.Context, url, tool string) []string {
	headers := map[string]string{"Authorization": "Bearer " + os.Getenv("TOKEN")}
	client := must(mark3labs.NewStreamableHttpClient(url, transport.WithHTTPHeaders(headers)))
	defer client.Close()
	if err := client.Start(ctx); err != nil {
		log.Fatal(err)
	}
	initialize := mark3labsmcp.InitializeRequest{}
	initialize.Params.ProtocolVersion = mark3labsmcp.LATEST_PROTOCOL_VERSION
	initialize.Params.ClientInfo = mark3labsmcp.Implementation{Name: "count", Version: "1"}
	must(client.Initialize(ctx, initialize))
	var texts []string
	for range times {
		call := mark3labsmcp.CallToolRequest{}
		call.Params.Name = tool
		result := must(client.CallTool(ctx, call))
		texts = append(texts, result.Content[0].(mark3labsmcp.TextContent).Text)
	}
	return texts
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	clients := map[string]func(context.Context, string, string) []string{"go-sdk": goSDK, "mcp-go": mcpGo}
	texts := clients[os.Args[1]](context.Background(), os.Args[2], os.Args[3])
	if err := json.NewEncoder(os.Stdout).Encode(texts); err != nil {
		log.Fatal(err)
	}
}
