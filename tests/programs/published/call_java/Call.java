// Calls tools one after the other with a Java client: Call CLIENT URL TOOL... The token is in the variable TOKEN.
// Prints the texts of the results as a JSON array. A client that can be asked says "Ada", "hello" and file:///home.
import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.mcp.client.DefaultMcpClient;
import dev.langchain4j.mcp.client.McpRoot;
import dev.langchain4j.mcp.client.transport.http.StreamableHttpMcpTransport;
import io.modelcontextprotocol.client.McpClient;
import io.modelcontextprotocol.client.transport.HttpClientSseClientTransport;
import io.modelcontextprotocol.client.transport.HttpClientStreamableHttpTransport;
import io.modelcontextprotocol.spec.McpClientTransport;
import io.modelcontextprotocol.spec.McpSchema;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

public class Call {
    private static final String AUTHORIZATION = "Bearer " + System.getenv("TOKEN");

    private static List<String> javaSdk(McpClientTransport transport, List<String> tools) {
        try (var client = McpClient.sync(transport)
                .capabilities(McpSchema.ClientCapabilities.builder().elicitation().sampling().roots(true).build())
                .elicitation(question -> McpSchema.ElicitResult.builder(McpSchema.ElicitResult.Action.ACCEPT)
                        .content(Map.of("name", "Ada")).build())
                .sampling(question -> McpSchema.CreateMessageResult
                        .builder(McpSchema.Role.ASSISTANT, "hello", "none").build())
                .roots(McpSchema.Root.builder("file:///home").build())
                .build()) {
            client.initialize();
            var texts = new ArrayList<String>();
            for (var tool : tools) {
                var result = client.callTool(McpSchema.CallToolRequest.builder(tool).arguments(Map.of()).build());
                texts.add(((McpSchema.TextContent) result.content().get(0)).text());
            }
            return texts;
        }
    }

    private static McpClientTransport http(URI url) {
        return HttpClientStreamableHttpTransport.builder(url.resolve("/").toString()).endpoint(url.getPath())
                .httpRequestCustomizer((request, method, uri, body, context) -> request.header("Authorization", AUTHORIZATION)).build();
    }

    private static McpClientTransport sse(URI url) {
        return HttpClientSseClientTransport.builder(url.resolve("/").toString()).sseEndpoint("/sse")
                .httpRequestCustomizer((request, method, uri, body, context) -> request.header("Authorization", AUTHORIZATION)).build();
    }

    private static List<String> langchain4j(URI url, List<String> tools) throws Exception {
        var transport = StreamableHttpMcpTransport.builder().url(url.toString())
                .customHeaders(Map.of("Authorization", AUTHORIZATION)).setHttpVersion1_1().subsidiaryChannel(true).build();
        try (var client = DefaultMcpClient.builder().transport(transport)
                .roots(List.of(new McpRoot("home", "file:///home"))).build()) {
            var texts = new ArrayList<String>();
            for (var tool : tools) {
                var request = ToolExecutionRequest.builder().name(tool).arguments("{}").build();
                texts.add(client.executeTool(request).resultText());
            }
            return texts;
        }
    }

    public static void main(String[] args) throws Exception {
        var url = URI.create(args[1]);
        var tools = List.of(args).subList(2, args.length);
        var texts = switch (args[0]) {
            case "java-sdk" -> javaSdk(http(url), tools);
            case "java-sdk-sse" -> javaSdk(sse(url), tools);
            case "langchain4j" -> langchain4j(url, tools);
            default -> throw new IllegalArgumentException(args[0]);
        };
        System.out.println("[\"" + String.join("\",\"", texts) + "\"]");
        System.exit(0);
    }
}
