use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use tonic::Code;

/// The published gRPC service config, of which [`Retrying`](crate::Retrying) does the retries and the deadline.
pub const SERVICE_CONFIG: &str = include_str!("service_config.json");

/// The same, read.
pub(crate) static CONFIG: LazyLock<ServiceConfig> =
    LazyLock::new(|| serde_json::from_str(SERVICE_CONFIG).expect("a test reads the same text"));

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceConfig {
    method_config: Vec<MethodConfig>,
    pub(crate) retry_throttling: RetryThrottling,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MethodConfig {
    name: Vec<MethodName>,
    #[serde(deserialize_with = "duration")]
    pub(crate) timeout: Duration,
    pub(crate) retry_policy: RetryPolicy,
}

#[derive(Debug, Deserialize)]
struct MethodName {
    service: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetryPolicy {
    pub(crate) max_attempts: u32,
    #[serde(deserialize_with = "duration")]
    initial_backoff: Duration,
    #[serde(deserialize_with = "duration")]
    max_backoff: Duration,
    backoff_multiplier: f64,
    retryable_status_codes: Vec<RetryableCode>,
}

/// What the config may name; another code fails the test that reads it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RetryableCode {
    Unavailable,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetryThrottling {
    pub(crate) max_tokens: f64,
    pub(crate) token_ratio: f64,
}

impl ServiceConfig {
    /// Returns what is configured for a method, by the path of its call.
    pub(crate) fn of(&self, path: &str) -> Option<&MethodConfig> {
        let service = path.split('/').nth(1)?;
        self.method_config.iter().find(|config| config.name.iter().any(|name| name.service == service))
    }
}

impl RetryPolicy {
    pub(crate) fn retries(&self, code: Code) -> bool {
        self.retryable_status_codes.iter().any(|RetryableCode::Unavailable| code == Code::Unavailable)
    }

    /// Returns how long to wait after an attempt: growing, with a jitter of 20 % as gRPC has it.
    pub(crate) fn backoff(&self, attempt: u32) -> Duration {
        let factor = self.backoff_multiplier.powf(f64::from(attempt) - 1.0);
        let grown = (self.initial_backoff.as_secs_f64() * factor).min(self.max_backoff.as_secs_f64());
        Duration::from_secs_f64(grown * (0.8 + 0.4 * fastrand::f64()))
    }
}

/// Reads seconds as protobuf's JSON writes a duration: `"0.2s"`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse().ok());
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| de::Error::custom(format!("not a duration: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_covers_the_service_and_nothing_else() {
        let config = CONFIG.of("/payorch.v1.PaymentOrchestrationService/CreateSession").unwrap();

        assert_eq!((Duration::from_secs(55), 4), (config.timeout, config.retry_policy.max_attempts));
        assert!(config.retry_policy.retries(Code::Unavailable) && !config.retry_policy.retries(Code::Aborted));
        assert!(CONFIG.of("/payorch.v1.DiagnosticsService/GetCall").is_none());
    }

    #[test]
    fn waits_grow_up_to_the_longest() {
        let policy = &CONFIG.method_config[0].retry_policy;
        for (attempt, expected_s) in [(1, 0.2), (2, 0.4), (3, 0.8), (9, 3.0)] {
            let backoff_s = policy.backoff(attempt).as_secs_f64();

            assert!((0.8 * expected_s..=1.2 * expected_s).contains(&backoff_s), "{attempt}: {backoff_s}");
        }
    }
}
