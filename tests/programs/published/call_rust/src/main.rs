//! Calls tools one after the other with the Rust SDK: call CLIENT URL TOOL... The token is in the variable TOKEN.
//! Prints the texts of the results as a JSON array. Asked, it says "Ada", "hello" and file:///home.
#![allow(deprecated)] // sampling and roots

use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, ErrorData, RoleClient};

struct Answering;

impl ClientHandler for Answering {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder()
            .enable_elicitation()
            .enable_roots()
            .enable_sampling()
            .build();
        ClientConfig::new(capabilities, Implementation::new("call", "1"))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(serde_json::json!({ "name": "Ada" })))
    }

    async fn create_message(
        &self,
        _: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let message = SamplingMessage::assistant_text("hello");
        Ok(CreateMessageResult::new(message, "none".into()))
    }

    async fn list_roots(&self, _: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Ok(ListRootsResult::new(vec![Root::new("file:///home")]))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let config = StreamableHttpClientTransportConfig::with_uri(args[2].as_str())
        .auth_header(std::env::var("TOKEN")?);
    let transport = StreamableHttpClientTransport::from_config(config);
    let lifecycle = match args[1].as_str() {
        "rmcp-auto" => ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: None,
        },
        _ => ClientLifecycleMode::Initialize,
    };
    let client = Answering.serve_with_lifecycle(transport, lifecycle).await?;
    let mut texts = Vec::new();
    for tool in &args[3..] {
        let result = client.call_tool(CallToolRequestParams::new(tool.clone())).await?;
        texts.push(result.content[0].as_text().map(|text| text.text.clone()));
    }
    client.cancel().await?;
    println!("{}", serde_json::to_string(&texts)?);
    Ok(())
}
