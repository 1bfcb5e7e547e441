mod faults;
mod gateway;
mod hostile;
mod liar;
mod several;
mod single;
mod windows;
