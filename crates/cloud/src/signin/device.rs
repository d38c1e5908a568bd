//! Device code: a person signs in at another device; afterwards the kept refresh token is enough,
//! for both services.

use std::time::Duration;

use kernel::{Secret, escape};
use serde::Deserialize;
use tokio::sync::MutexGuard;

use super::{
    SignIn,
    answer::TokenAnswer,
    post::{Answer, Form, unreadable},
};
use crate::{
    environment::DeviceCode,
    error::{SendKind, SignInError},
    refresh::Keeper,
    settings::RefreshStore,
    token::Token,
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Lost answers in a row before the polling ends.
const LOST: u32 = 5;

#[derive(Deserialize)]
struct Started {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    expires_in: u64,
    interval: Option<u64>,
    message: Option<String>,
}

impl SignIn {
    pub(super) async fn device_code(
        &self,
        client_id: &str,
        store: &RefreshStore,
        scope: &str,
        claims: Option<&str>,
    ) -> Result<Token, SignInError> {
        // Held to the end: a second service waits and then uses the refresh token of the first.
        let mut kept = self.kept.lock().await;
        let account = format!("{}/{}/{client_id}", self.authority, self.tenant);
        let keeper = Keeper::new(store, self.environment.keyring.clone(), account);
        if kept.is_none() {
            *kept = keeper.load().await?;
        }
        if let Some(refresh) = kept.clone() {
            match self.refresh(client_id, &refresh, scope, claims).await {
                Ok(answer) => return self.keep(answer, &mut kept, &keeper).await,
                Err(SignInError::Refused(refusal)) if refusal.ends_the_kept_sign_in() => {
                    tracing::info!("the kept sign-in is over: {refusal}");
                    *kept = None;
                    keeper.remove().await;
                    if self.environment.device_prompt.is_none() {
                        return Err(SignInError::Refused(refusal));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let answer = Box::pin(self.ask_a_person(client_id, scope, claims)).await?;
        self.keep(answer, &mut kept, &keeper).await
    }

    async fn keep(
        &self,
        answer: TokenAnswer,
        kept: &mut MutexGuard<'_, Option<Secret>>,
        keeper: &Keeper,
    ) -> Result<Token, SignInError> {
        // Entra hands out a new refresh token with nearly every answer; the old one stays valid
        // for a while, so a failure to keep the new one is not a failure to sign in.
        if let Some(refresh) = &answer.refresh_token {
            let changed = kept
                .as_ref()
                .is_none_or(|old| old.expose() != refresh.expose());
            **kept = Some(refresh.clone());
            if changed && let Err(error) = keeper.save(refresh).await {
                tracing::warn!("{error}; the next run will ask for a new sign-in");
            }
        }
        Ok(answer.into_token())
    }

    async fn refresh(
        &self,
        client_id: &str,
        refresh: &Secret,
        scope: &str,
        claims: Option<&str>,
    ) -> Result<TokenAnswer, SignInError> {
        let form = Form::new()
            .add("grant_type", "refresh_token")
            .add("client_id", client_id)
            .add("refresh_token", refresh.expose());
        self.finish(form, &with_refresh(scope), claims, Some(refresh))
            .await
    }

    async fn ask_a_person(
        &self,
        client_id: &str,
        scope: &str,
        claims: Option<&str>,
    ) -> Result<TokenAnswer, SignInError> {
        let prompt = self
            .environment
            .device_prompt
            .as_ref()
            .ok_or(SignInError::NobodyToAsk)?;
        let url = format!("{}/{}/oauth2/v2.0/devicecode", self.authority, self.tenant);
        let mut form = Form::new()
            .add("client_id", client_id)
            .add("scope", &with_refresh(scope));
        if let Some(claims) = claims {
            form = form.add("claims", claims);
        }
        let response = match self.post(&url, form, self.who(scope, None)).await? {
            Answer::Ok(response) => response,
            Answer::Refused(refusal) => return Err(refusal.into()),
        };
        let started: Started =
            serde_json::from_slice(&response.body).map_err(|_| unreadable(&url, &response))?;
        let lifetime = Duration::from_secs(started.expires_in.min(3600));
        prompt(&DeviceCode {
            user_code: escape::line(&started.user_code).into_owned(),
            verification_uri: escape::line(&started.verification_uri).into_owned(),
            message: escape::line(started.message.as_deref().unwrap_or_default()).into_owned(),
            expires_in: lifetime,
        });
        Box::pin(self.poll(client_id, &started, lifetime)).await
    }

    async fn poll(
        &self,
        client_id: &str,
        started: &Started,
        lifetime: Duration,
    ) -> Result<TokenAnswer, SignInError> {
        let clock = &self.environment.clock;
        let mut interval = Duration::from_secs(started.interval.unwrap_or(5).clamp(1, 60));
        let begin = clock.elapsed();
        let mut lost = 0;
        loop {
            clock.sleep(interval).await;
            if clock.elapsed().saturating_sub(begin) > lifetime {
                return Err(SignInError::Device("the device code was not used in time"));
            }
            let form = Form::new()
                .add("grant_type", GRANT)
                .add("client_id", client_id)
                .add("device_code", started.device_code.expose());
            let who = self.who("", Some(&started.device_code));
            let refusal = match self.post_token(&self.token_endpoint(), form, who).await {
                Ok(answer) => return Ok(answer),
                Err(SignInError::Refused(refusal)) => refusal,
                // A person is at it: a lost answer must not cost them their code.
                Err(SignInError::Unreachable(error))
                    if lost < LOST && !matches!(error.kind, SendKind::Configuration) =>
                {
                    lost += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            lost = 0;
            match refusal.error.as_str() {
                "authorization_pending" => {}
                "slow_down" => interval += Duration::from_secs(5),
                "expired_token" | "code_expired" => {
                    return Err(SignInError::Device("the device code was not used in time"));
                }
                "authorization_declined" | "access_denied" => {
                    return Err(SignInError::Device("the sign-in was turned down"));
                }
                _ => return Err(SignInError::Refused(refusal)),
            }
        }
    }
}

fn with_refresh(scope: &str) -> String {
    format!("{scope} offline_access openid profile")
}
