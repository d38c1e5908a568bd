//! The service over real loopback HTTP, with a simulated tenant and a store on a file.
