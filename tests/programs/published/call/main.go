// Command call calls tools one after the other with a Go client: call CLIENT URL TOOL... The token is in the variable TOKEN. It prints
// the texts of the results as a JSON array. Asked, it says "Ada", "hello" and file:///home.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"

	mark3labs "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	mark3labsmcp "github.com/mark3labs/mcp-go/mcp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type bearer struct{}

func (bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
	return http.DefaultTransport.RoundTrip(request)
}

func goSDK(ctx context.Context, transport mcp.Transport, tools []string) []string {
	client := mcp.NewClient(&mcp.Implementation{Name: "call", Version: "1"}, &mcp.ClientOptions{
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "Ada"}}, nil
		},
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			return &mcp.CreateMessageResult{Role: "assistant", Model: "none", Content: &mcp.TextContent{Text: "hello"}}, nil
		},
	})
	client.AddRoots(&mcp.Root{URI: "file:///home"})
	session := must(client.Connect(ctx, transport, nil))
	defer session.Close()
	var texts []string
	for _, tool := range tools {
		result := must(session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: map[string]any{}}))
		texts = append(texts, result.Content[0].(*mcp.TextContent).Text)
	}
	return texts
}

type answering struct{}

func (answering) Elicit(context.Context, mark3labsmcp.ElicitationRequest) (*mark3labsmcp.ElicitationResult, error) {
	return &mark3labsmcp.ElicitationResult{ElicitationResponse: mark3labsmcp.ElicitationResponse{
		Action: mark3labsmcp.ElicitationResponseActionAccept, Content: map[string]any{"name": "Ada"},
	}}, nil
}

func (answering) CreateMessage(context.Context, mark3labsmcp.CreateMessageRequest) (*mark3labsmcp.CreateMessageResult, error) {
	message := mark3labsmcp.SamplingMessage{Role: "assistant", Content: mark3labsmcp.NewTextContent("hello")}
	return &mark3labsmcp.CreateMessageResult{SamplingMessage: message, Model: "none"}, nil
}

func (answering) ListRoots(context.Context, mark3labsmcp.ListRootsRequest) (*mark3labsmcp.ListRootsResult, error) {
	return &mark3labsmcp.ListRootsResult{Roots: []mark3labsmcp.Root{{URI: "file:///home", Name: "home"}}}, nil
}

func mcpGo(ctx context.Context, transport transport.Interface, tools []string) []string {
	client := mark3labs.NewClient(transport, mark3labs.WithElicitationHandler(answering{}),
		mark3labs.WithSamplingHandler(answering{}), mark3labs.WithRootsHandler(answering{}))
	defer client.Close()
	if err := client.Start(ctx); err != nil {
		log.Fatal(err)
	}
	initialize := mark3labsmcp.InitializeRequest{}
	initialize.Params.ProtocolVersion = mark3labsmcp.LATEST_PROTOCOL_VERSION
	initialize.Params.ClientInfo = mark3labsmcp.Implementation{Name: "call", Version: "1"}
	must(client.Initialize(ctx, initialize))
	var texts []string
	for _, tool := range tools {
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
	ctx, url, tools := context.Background(), os.Args[2], os.Args[3:]
	sse := strings.Replace(url, "/mcp", "/sse", 1)
	client := &http.Client{Transport: bearer{}}
	headers := map[string]string{"Authorization": "Bearer " + os.Getenv("TOKEN")}
	clients := map[string]func() []string{
		"go-sdk": func() []string {
			return goSDK(ctx, &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: client}, tools)
		},
		"go-sdk-sse": func() []string { return goSDK(ctx, &mcp.SSEClientTransport{Endpoint: sse, HTTPClient: client}, tools) },
		"mcp-go": func() []string {
			return mcpGo(ctx, must(transport.NewStreamableHTTP(url, transport.WithHTTPHeaders(headers), transport.WithContinuousListening())), tools)
		},
		"mcp-go-sse": func() []string { return mcpGo(ctx, must(transport.NewSSE(sse, transport.WithHeaders(headers))), tools) },
	}
	if err := json.NewEncoder(os.Stdout).Encode(clients[os.Args[1]]()); err != nil {
		log.Fatal(err)
	}
}
