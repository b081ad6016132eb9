//! The server of matmesh: everything that touches the world.
//!
//! The rooms of the server: `startup` puts a node together; `driver` owns the
//! cluster's state and carries out what it decides; `links` are the sockets,
//! `store` is the disk, `compute` the threads; `live` gathers what pages show,
//! `site` makes them, `seat` takes their forms, `http` is what programs see;
//! `cli` is the command line.

pub mod account;
pub mod addresses;
pub mod chunks;
pub mod cli;
pub mod compute;
pub mod config;
pub mod copy_inputs;
pub mod discovery;
pub mod driver;
pub mod http;
pub mod identity;
pub mod jobs;
mod known_peers;
pub mod links;
mod listener;
pub mod live;
pub mod matrix_rows;
pub mod own_status;
pub mod results;
pub mod seat;
pub mod services;
pub mod site;
mod small_inputs;
pub mod sockets;
pub mod startup;
pub mod store;
pub mod submission;
pub mod telemetry;
pub mod views;
pub mod workers;
