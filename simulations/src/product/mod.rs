//! Ringmaster as others see it: its process, its REST API, its live feed. Nothing here knows its code.

mod api;
mod database;
mod feed;
mod keys;
mod server;

pub use api::{Api, ApiError, InterviewDetail, InterviewRow, Message, ScreeningRow};
pub use database::Database;
pub use feed::{Event, Feed, FeedError, Frame};
pub use keys::{Keys, Role};
pub use server::{
    Server, ServerPlan, Storage, WorldTime, built_binary, find_binary, free_address, migrate,
};
