mod faults;
mod gateway;
mod single;
